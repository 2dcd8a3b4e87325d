import process from "node:process";

/** Where log lines go: the part of a stream that is needed here. */
export interface LogStream {
  readonly writableLength: number;
  write(text: string): unknown;
}

/**
 * A log that nobody reads must not fill the memory: lines are dropped while too much waits to be
 * read, and their number is told once there is room again.
 */
export function boundedDestination(stream: LogStream): { write(line: string): void } {
  let dropped = 0;
  return {
    write(line) {
      if (stream.writableLength > MAX_WAITING_CHARACTERS) {
        dropped += 1;
        return;
      }
      if (dropped > 0) {
        const told = { level: "warn", event: "log_dropped", count: dropped };
        stream.write(`${JSON.stringify({ ...told, msg: "log lines were dropped: not read" })}\n`);
        dropped = 0;
      }
      stream.write(line);
    },
  };
}

/** Ends the process in a moment, even if what was logged is not read by then. */
export function endThoughUnread(stream: LogStream): void {
  if (stream.writableLength > 0) setTimeout(() => process.exit(), LAST_LINES_MS).unref();
}

const MAX_WAITING_CHARACTERS = 1_048_576;
const LAST_LINES_MS = 1_000;
