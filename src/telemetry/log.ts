import { type DestinationStream, type Level, pino } from "pino";
import { PinoPretty } from "pino-pretty";

/**
 * The program's log: `log.info({ client, ski }, "request failed")`. Fields hold names, numbers and
 * printable text; never a key, a PIN or a passphrase.
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
  readonly destination: DestinationStream;
  readonly colour?: boolean;
}

/** A log that writes where it is told to, in this process: no transport threads. */
export function createLog(options: LogOptions): Log {
  const stream = options.format === "pretty"
    ? PinoPretty({
      destination: options.destination as NodeJS.WritableStream,
      colorize: options.colour ?? false,
      ignore: "pid,hostname",
      translateTime: "SYS:HH:MM:ss.l",
      singleLine: true,
      sync: true,
    })
    : options.destination;
  return pino({
    level: options.level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  }, stream);
}

/** A log that says nothing, for embedding and for tests. */
export const SILENT_LOG: Log = { debug() {}, info() {}, warn() {}, error() {} };
