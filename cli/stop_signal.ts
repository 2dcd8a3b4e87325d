import process from "node:process";
import { EXIT } from "../src/errors/table.ts";
import type { Log } from "../src/telemetry/log.ts";

export interface Stop {
  /** Whether the first signal has come. */
  readonly received: boolean;
  /** Resolves with it, or with what else stopped the server. */
  readonly signal: Promise<string>;
  /** Stops it like a first signal; later ones do nothing. */
  readonly stop: (reason: string) => void;
}

/**
 * Listens for signals from here on; a second one ends the process at once. SIGHUP is what a terminal
 * sends when it is closed, and what will be the reload: it ends a server that is tried out only.
 */
export function stopSignal(log: Log, isDev: boolean): Stop {
  const { promise, resolve } = Promise.withResolvers<string>();
  const stop = {
    received: false,
    signal: promise,
    stop(reason: string): void {
      stop.received = true;
      resolve(reason);
    },
  };
  const handle = (signal: NodeJS.Signals) => {
    if (stop.received) process.exit(EXIT.CHECK_FAILED);
    stop.stop(signal);
  };
  process.on("SIGTERM", handle);
  process.on("SIGINT", handle);
  process.on("SIGHUP", (signal) => {
    if (isDev) return handle(signal);
    log.warn({ event: "signal", signal }, "this version cannot reload: restart it for new files");
  });
  return stop;
}
