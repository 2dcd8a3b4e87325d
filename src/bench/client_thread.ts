import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { Load } from "./load.ts";
import type { Order, Report, ThreadPlan } from "./messages.ts";

/** A client thread: does what its plan says when it is told to, and reports every second. */
function serve(port: MessagePort, plan: ThreadPlan): void {
  const load = new Load(plan, (report: Report) => port.postMessage(report));
  port.on("message", (order: Order) => {
    if (order === "go") load.go();
    else load.stop();
  });
  load.connect();
}

if (parentPort !== null) serve(parentPort, workerData as ThreadPlan);
