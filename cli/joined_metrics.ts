import { SharedWork } from "../src/status/shared_work.ts";
import { joinSnapshots } from "../src/telemetry/metrics/join.ts";
import type { MetricSnapshot } from "../src/telemetry/metrics/registry.ts";
import { RetiredCounters } from "../src/telemetry/metrics/retired_counters.ts";
import { ThreadMetrics } from "../src/telemetry/metrics/thread_metrics.ts";
import type { Observed } from "./observe.ts";

/**
 * What gives the metrics of all threads of a server, as one. Who asks at the same time shares an
 * answer.
 */
export function joinedMetrics(
  { server, metrics }: Pick<Observed, "server" | "metrics">,
): () => Promise<readonly MetricSnapshot[]> {
  const thread = new ThreadMetrics();
  const retired = new RetiredCounters();
  const work = new SharedWork(async () => {
    const workers = await retired.parts(await server.snapshots());
    const main = [...metrics.registry.snapshot(), ...thread.registry.snapshot()];
    return await joinSnapshots([main, ...workers]);
  });
  return () => work.result();
}
