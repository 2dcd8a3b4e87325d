/**
 * Preloaded before every test file on Deno, which passes a file whose errors nobody awaited: an
 * unhandled rejection, or an error thrown in a timer or at the top level, ends the run here with exit
 * code 1. Bun fails such a file by itself.
 */
import process from "node:process";

globalThis.addEventListener("unhandledrejection", (event) => {
  endRun("an unhandled rejection", event.reason);
});
globalThis.addEventListener("error", (event) => {
  endRun("an error outside of every test", event.error);
});

function endRun(what: string, thrown: unknown): void {
  console.error(`${what} ends the test run:`, thrown);
  process.exit(1);
}
