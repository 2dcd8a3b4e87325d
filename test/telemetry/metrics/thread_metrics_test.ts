import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { joinSnapshots } from "../../../src/telemetry/metrics/join.ts";
import type { MetricSnapshot } from "../../../src/telemetry/metrics/registry.ts";
import { THREAD_METRICS, ThreadMetrics } from "../../../src/telemetry/metrics/thread_metrics.ts";
import { sampleValue, scrape } from "../../support/metrics.ts";

test("an event loop that was blocked was late for so long, and is not late otherwise", async () => {
  const metrics = new ThreadMetrics();
  const stop = metrics.watchEventLoop();
  await sleep(150);
  const endMs = performance.now() + 400;
  while (performance.now() < endMs);
  await sleep(50);
  const samples = await scrape(metrics.registry.snapshot());
  const lag = (what: string) => sampleValue(samples, `nodejs_eventloop_lag_${what}_seconds`);
  assert.ok(lag("max") >= 0.25 && lag("max") < 5, `${lag("max")} s`);
  assert.ok(lag("mean") > 0 && lag("mean") < lag("max"));
  assert.ok(lag("p99") <= lag("max"));
  stop();
});

test("a thread that does not watch its event loop has its memory alone", () => {
  const names = new ThreadMetrics().registry.snapshot().map(({ name }) => name);
  assert.deepEqual(names, ["nodejs_heap_size_used_bytes", "nodejs_external_memory_bytes"]);
});

test("workers are measured each for itself: memory adds up, of delays the longest counts", {
  timeout: 20_000,
}, async () => {
  const workers = [0, 1].map(() =>
    new Worker(new URL("./thread_metrics_worker.ts", import.meta.url))
  );
  const ask = async (worker: Worker, busy: { blockMs: number; objects: number }) => {
    const answered = new Promise<MetricSnapshot[]>((resolve) => worker.once("message", resolve));
    worker.postMessage(busy);
    return await answered;
  };
  const answers = await Promise.all([
    ask(workers[0]!, { blockMs: 400, objects: 0 }),
    ask(workers[1]!, { blockMs: 0, objects: 200_000 }),
  ]);
  await Promise.all(workers.map((worker) => worker.terminate()));
  const [blocked, holding] = await Promise.all(answers.map(scrape));
  const lag = "nodejs_eventloop_lag_max_seconds";
  const heap = "nodejs_heap_size_used_bytes";
  const difference = sampleValue(holding!, heap) - sampleValue(blocked!, heap);
  assert.ok(difference > 5e6, `${difference} bytes`);
  assert.ok(sampleValue(blocked!, lag) >= 0.25);
  const joined = await scrape(await joinSnapshots(answers));
  assert.equal(sampleValue(joined, lag), sampleValue(blocked!, lag));
  assert.equal(
    sampleValue(joined, heap),
    sampleValue(blocked!, heap) + sampleValue(holding!, heap),
  );
  assert.equal(new Set(joined.map(({ name }) => name)).size, Object.keys(THREAD_METRICS).length);
});
