/** Where progress is shown: stderr. */
export interface ProgressStream {
  readonly isTTY?: boolean | undefined;
  write(text: string): unknown;
}

export interface Progress {
  /** Shows "WHAT 1200 of 10000" in one line that is written over. */
  readonly show: (done: number, total: number) => void;
  /** Takes the line away. */
  readonly clear: () => void;
}

/** Progress on a terminal; elsewhere nothing is written. Work that is soon over shows nothing. */
export function createProgress(what: string, stream: ProgressStream): Progress {
  const start = performance.now();
  let isShown = false;
  return {
    show(done, total) {
      if (stream.isTTY !== true || performance.now() - start < PATIENCE_MS) return;
      stream.write(`\r${what} ${done} of ${total}${ERASE_TO_END}`);
      isShown = true;
    },
    clear() {
      if (isShown) stream.write(`\r${ERASE_TO_END}`);
      isShown = false;
    },
  };
}

const PATIENCE_MS = 200;
const ERASE_TO_END = "\u001b[K";
