/** Blocks its event loop, holds objects, and answers with what it measured of itself. */
import { setTimeout as sleep } from "node:timers/promises";
import { parentPort } from "node:worker_threads";
import { ThreadMetrics } from "../../../src/telemetry/metrics/thread_metrics.ts";

const metrics = new ThreadMetrics();
metrics.watchEventLoop();
parentPort!.on("message", async ({ blockMs, objects }: { blockMs: number; objects: number }) => {
  const held = Array.from({ length: objects }, (_, i) => ({ text: `${i} is held` }));
  await sleep(150);
  const endMs = performance.now() + blockMs;
  while (performance.now() < endMs);
  await sleep(150);
  parentPort!.postMessage(metrics.registry.snapshot());
  held.splice(0);
});
