import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { END, IDLE, type TimerMemory } from "./fine_timer.ts";

/** Sleeps for as long as it is asked to, and says when it wakes. */
function serve(port: MessagePort, { asked, sleepMs }: TimerMemory): void {
  const never = new Int32Array(new SharedArrayBuffer(4));
  port.postMessage("ready");
  while (true) {
    Atomics.wait(asked, 0, IDLE);
    if (Atomics.exchange(asked, 0, IDLE) === END) return;
    Atomics.wait(never, 0, 0, sleepMs[0]);
    port.postMessage("awake");
  }
}

if (parentPort !== null) serve(parentPort, workerData as TimerMemory);
