import promClient from "prom-client";
import type { MetricSnapshot } from "./registry.ts";

/**
 * CPU, memory and open files, as prom-client measures them. They belong to the whole process: they are
 * not joined over threads, and there is one of it.
 */
export class ProcessMetrics {
  readonly #registry = new promClient.Registry();

  /** Walks over the heap once, on Bun: tens of milliseconds where there are many keys. */
  constructor() {
    promClient.collectDefaultMetrics({
      register: this.#registry,
      eventLoopMonitoringPrecision: SELDOM_MS,
    });
    for (const { name } of this.#registry.getMetricsAsArray()) {
      if (!SHOWN.has(name)) this.#registry.removeSingleMetric(name);
    }
  }

  async snapshot(): Promise<MetricSnapshot[]> {
    return await this.#registry.getMetricsAsJSON() as unknown as MetricSnapshot[];
  }
}

/** The delay of this thread's event loop is not shown, and measuring it wakes an idle process. */
const SELDOM_MS = 60_000;

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
]);
