import { printable } from "../errors/printable.ts";
import type { Log } from "./log.ts";

/** A warning or an error of the log. */
export interface Problem {
  /** Unix time. */
  readonly timeMs: number;
  readonly level: "warn" | "error";
  readonly event: string;
  /** Printable. */
  readonly message: string;
  /** The other fields, "name: value" each; printable. */
  readonly details: readonly string[];
}

/** A log that hands everything on, and keeps the last warnings and errors for whoever asks. */
export class RecentProblems implements Log {
  readonly #log: Log;
  readonly #kept: Problem[] = [];

  constructor(log: Log) {
    this.#log = log;
  }

  /** The newest first. */
  list(): readonly Problem[] {
    return this.#kept.toReversed();
  }

  debug(fields: object, message: string): void {
    this.#log.debug(fields, message);
  }

  info(fields: object, message: string): void {
    this.#log.info(fields, message);
  }

  warn(fields: object, message: string): void {
    this.#keep("warn", fields, message);
    this.#log.warn(fields, message);
  }

  error(fields: object, message: string): void {
    this.#keep("error", fields, message);
    this.#log.error(fields, message);
  }

  #keep(level: Problem["level"], fields: object, message: string): void {
    const { event, ...others } = fields as { readonly event?: unknown };
    const details = Object.entries(others)
      .filter(([, value]) => value !== undefined)
      .slice(0, MAX_DETAILS)
      .map(([name, value]) => printable(`${name}: ${String(value)}`, MAX_DETAIL_LENGTH));
    this.#kept.push({
      timeMs: Date.now(),
      level,
      event: printable(String(event ?? ""), MAX_DETAIL_LENGTH),
      message: printable(message, MAX_MESSAGE_LENGTH),
      details,
    });
    if (this.#kept.length > MAX_PROBLEMS) this.#kept.shift();
  }
}

/** How many problems are kept. */
export const MAX_PROBLEMS = 20;
const MAX_DETAILS = 12;
const MAX_DETAIL_LENGTH = 256;
const MAX_MESSAGE_LENGTH = 512;
