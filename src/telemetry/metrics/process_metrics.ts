import promClient from "prom-client";
import type { MetricSnapshot } from "./registry.ts";

/**
 * CPU, memory, open files and the event loop's delay, as prom-client measures them. They belong to
 * the whole process: they are not joined over workers, but asked for once.
 */
export async function processMetrics(): Promise<MetricSnapshot[]> {
  registry ??= startCollecting();
  const metrics = await registry.getMetricsAsJSON() as unknown as MetricSnapshot[];
  return metrics.filter(({ name }) => SHOWN.has(name));
}

/** The collectors measure from their creation on, and belong to the process: there is one. */
let registry: InstanceType<typeof promClient.Registry> | undefined;

function startCollecting(): InstanceType<typeof promClient.Registry> {
  const made = new promClient.Registry();
  promClient.collectDefaultMetrics({
    register: made,
    eventLoopMonitoringPrecision: EVENT_LOOP_MS,
  });
  for (const name of COSTLY) made.removeSingleMetric(name);
  return made;
}

/** How often the event loop's delay is measured: each time wakes an idle process. */
const EVENT_LOOP_MS = 100;

/** Not shown, and for these Bun walks over the whole heap. */
const COSTLY: readonly string[] = ["total", "used", "available"]
  .map((part) => `nodejs_heap_space_size_${part}_bytes`);

/** The others are Node's own, and on Bun and Deno zero, or of another meaning. */
const SHOWN: ReadonlySet<string> = new Set([
  "process_cpu_user_seconds_total",
  "process_cpu_system_seconds_total",
  "process_cpu_seconds_total",
  "process_start_time_seconds",
  "process_resident_memory_bytes",
  "process_virtual_memory_bytes",
  "process_open_fds",
  "process_max_fds",
  "nodejs_eventloop_lag_mean_seconds",
  "nodejs_eventloop_lag_max_seconds",
  "nodejs_eventloop_lag_p99_seconds",
  "nodejs_heap_size_used_bytes",
  "nodejs_external_memory_bytes",
]);
