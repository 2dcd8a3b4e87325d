import process from "node:process";

export interface Interrupt {
  /** Aborted by the first Ctrl-C or SIGTERM; a second one ends the process. */
  readonly signal: AbortSignal;
  /** Listens no longer. */
  readonly end: () => void;
}

/** For commands that show what they have measured when they are ended before their time. */
export function listenForInterrupt(): Interrupt {
  const controller = new AbortController();
  const end = () => {
    for (const signal of SIGNALS) process.off(signal, interrupt);
  };
  const interrupt = () => {
    end();
    controller.abort();
  };
  for (const signal of SIGNALS) process.on(signal, interrupt);
  return { signal: controller.signal, end };
}

const SIGNALS = ["SIGINT", "SIGTERM"] as const;
