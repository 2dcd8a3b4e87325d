import promClient from "prom-client";
import type { MetricSnapshot } from "./registry.ts";

/**
 * CPU, memory, open files and the event loop's delay, as prom-client measures them: from its making
 * on, so make it at the start. They belong to the whole process: they are not joined over workers,
 * and there is one of it.
 */
export class ProcessMetrics {
  readonly #registry = new promClient.Registry();

  /** Walks over the heap once, on Bun: tens of milliseconds where there are many keys. */
  constructor() {
    promClient.collectDefaultMetrics({
      register: this.#registry,
      eventLoopMonitoringPrecision: EVENT_LOOP_MS,
    });
    for (const name of COSTLY) this.#registry.removeSingleMetric(name);
  }

  /** The delays of the event loop are those since the snapshot before; without any, they are left out. */
  async snapshot(): Promise<MetricSnapshot[]> {
    const metrics = await this.#registry.getMetricsAsJSON() as unknown as MetricSnapshot[];
    return metrics.filter(({ name }) => SHOWN.has(name)).map((metric) => {
      return { ...metric, values: metric.values.filter(({ value }) => !Number.isNaN(value)) };
    });
  }
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
