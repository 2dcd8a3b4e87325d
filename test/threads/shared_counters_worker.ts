/** A thread that counts to 100,000 in its row. */
import { parentPort, workerData } from "node:worker_threads";
import { SharedCounters } from "../../src/threads/shared_counters.ts";

const { memory, row } = workerData as { memory: SharedArrayBuffer; row: number };
const counters = new SharedCounters(["open", "bytes"], memory, row);
for (let count = 0; count < 100_000; count++) counters.add("open", 1);
parentPort!.postMessage("done");
