import type { Log } from "../telemetry/log.ts";
import type { LoggedLine } from "./thread_messages.ts";

/**
 * A worker's log, which the main thread writes. Where that does not keep up, lines are dropped and
 * their number is told afterwards: they would wait in its memory, and answers and orders behind them.
 */
export class ForwardedLog implements Log {
  readonly #post: (line: LoggedLine) => void;
  readonly #taken: Int32Array;
  #posted = 0;
  #dropped = 0;

  /**
   * @param post sends a line to the main thread
   * @param taken one number: how many of them that has taken, modulo 2^32
   */
  constructor(post: (line: LoggedLine) => void, taken: Int32Array) {
    this.#post = post;
    this.#taken = taken;
  }

  debug(fields: object, message: string): void {
    this.#write({ level: "debug", fields, message });
  }

  info(fields: object, message: string): void {
    this.#write({ level: "info", fields, message });
  }

  warn(fields: object, message: string): void {
    this.#write({ level: "warn", fields, message });
  }

  error(fields: object, message: string): void {
    this.#write({ level: "error", fields, message });
  }

  #write(line: LoggedLine): void {
    const ahead = (this.#posted - Atomics.load(this.#taken, 0)) | 0;
    if (ahead >= MAX_AHEAD) {
      this.#dropped += 1;
      return;
    }
    if (this.#dropped > 0) {
      const fields = { event: "log_dropped", count: this.#dropped };
      this.#dropped = 0;
      this.#send({ level: "warn", fields, message: "log lines were dropped: too many at once" });
    }
    this.#send(line);
  }

  #send(line: LoggedLine): void {
    this.#posted = (this.#posted + 1) | 0;
    this.#post(line);
  }
}

/** Some hundred kilobytes. */
const MAX_AHEAD = 1_000;
