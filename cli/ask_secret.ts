import process from "node:process";

/** Whether there is somebody to ask. */
export function canAsk(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/**
 * Asks for a secret on the terminal, without showing it. Backspace takes back a byte, Ctrl-U all;
 * Ctrl-C ends the process as it always does.
 *
 * @param prompt printable
 * @returns what was typed, the caller's, to be overwritten after use; empty where nothing was
 */
export async function askSecret(prompt: string): Promise<Uint8Array> {
  const { stdin, stderr } = process;
  const typed = new Uint8Array(MAX_BYTES);
  stdin.setRawMode(true); // before somebody sees the prompt, and types
  try {
    stderr.write(prompt);
    return typed.slice(0, await readLine(stdin, typed));
  } finally {
    typed.fill(0);
    stdin.setRawMode(false);
    stdin.pause();
    stderr.write("\n");
  }
}

/** @returns how many bytes of `typed` are the line's */
async function readLine(stdin: NodeJS.ReadStream, typed: Uint8Array): Promise<number> {
  let length = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  const take = (chunk: Uint8Array) => {
    for (const byte of chunk) {
      if (ENDS.has(byte)) resolve();
      else if (byte === CTRL_C) interrupt(stdin);
      else if (BACKSPACES.has(byte)) length = Math.max(length - 1, 0);
      else if (byte === CTRL_U) length = 0;
      else if (byte >= SPACE && length < MAX_BYTES) typed[length++] = byte;
    }
    chunk.fill(0);
  };
  stdin.on("data", take);
  stdin.once("end", resolve);
  stdin.resume();
  await promise;
  stdin.off("data", take);
  return length;
}

/** A raw terminal makes no signal of it. */
function interrupt(stdin: NodeJS.ReadStream): void {
  stdin.setRawMode(false);
  process.stderr.write("\n");
  process.kill(process.pid, "SIGINT");
}

const MAX_BYTES = 1_024;
const CTRL_C = 0x03;
const CTRL_U = 0x15;
const SPACE = 0x20;
/** Carriage return, line feed, Ctrl-D. */
const ENDS: ReadonlySet<number> = new Set([0x0d, 0x0a, 0x04]);
const BACKSPACES: ReadonlySet<number> = new Set([0x7f, 0x08]);
