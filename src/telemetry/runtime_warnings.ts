import process from "node:process";
import type { Log } from "./log.ts";

/** What the runtime warns of goes to the log: it would print it between the lines of JSON. */
export function logRuntimeWarnings(log: Log): void {
  process.removeAllListeners("warning"); // the runtime's own, which prints
  process.on("warning", ({ name, message }) => {
    log.warn({ event: "runtime_warning", name, reason: message }, "the runtime warns");
  });
}
