import type { Log } from "../../src/telemetry/log.ts";

export interface Line {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

/** A log that keeps its lines, and lets a test wait for one. */
export class MemoryLog implements Log {
  readonly lines: Line[] = [];
  readonly #waiting: { matches: (line: Line) => boolean; found: (line: Line) => void }[] = [];

  debug(fields: object, message: string): void {
    this.#add("debug", fields, message);
  }
  info(fields: object, message: string): void {
    this.#add("info", fields, message);
  }
  warn(fields: object, message: string): void {
    this.#add("warn", fields, message);
  }
  error(fields: object, message: string): void {
    this.#add("error", fields, message);
  }

  /** The first line of an event, past or to come. */
  event(name: string): Promise<Line> {
    const matches = (line: Line) => line.fields["event"] === name;
    const past = this.lines.find(matches);
    if (past !== undefined) return Promise.resolve(past);
    return new Promise((found) => this.#waiting.push({ matches, found }));
  }

  #add(level: Line["level"], fields: object, message: string): void {
    const line = { level, fields: fields as Line["fields"], message };
    this.lines.push(line);
    for (const waiter of this.#waiting) if (waiter.matches(line)) waiter.found(line);
  }
}
