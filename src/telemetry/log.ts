import { type Level, pino } from "pino";
import { prettyFactory } from "pino-pretty";
import { printable } from "../errors/printable.ts";

/**
 * The program's log: `log.info({ event: "listening", address }, "listening")`. Text in the fields is
 * made printable here, whatever it was; it never is a key, a PIN or a passphrase.
 */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface LogOptions {
  readonly level: Level;
  /** "pretty" for people, "json" for machines. */
  readonly format: "pretty" | "json";
  /** Takes whole lines, each with its line feed. */
  readonly destination: { write(line: string): void };
  readonly colour?: boolean;
}

/** A log that writes where it is told to, in this process: no transport threads. */
export function createLog(options: LogOptions): Log {
  const { level, format, destination } = options;
  return pino({
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }), log: printableFields },
  }, format === "json" ? destination : prettyDestination(options));
}

function prettyDestination(
  { destination, colour = false }: LogOptions,
): { write(line: string): void } {
  const pretty = prettyFactory({
    colorize: colour,
    singleLine: true,
    errorLikeObjectKeys: [], // `error` is a text here
    ignore: "event,pid",
    translateTime: "SYS:yyyy-mm-dd HH:MM:ss.l",
  });
  return { write: (line) => destination.write(pretty(line)) };
}

function printableFields(fields: Record<string, unknown>): Record<string, unknown> {
  const shown: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    shown[name] = Array.isArray(value) ? value.map(printableValue) : printableValue(value);
  }
  return shown;
}

function printableValue(value: unknown): unknown {
  return typeof value === "string" ? printable(value) : value;
}
