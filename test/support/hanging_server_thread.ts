/** A worker of the key server that stands still when it is told to. */
import { parentPort } from "node:worker_threads";
import "../../src/server/server_thread.ts";

parentPort!.on("message", (message: { readonly hang?: true }) => {
  if (message.hang) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
});
