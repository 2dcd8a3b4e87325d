import process from "node:process";
import { clearInterval, setInterval } from "node:timers";
import { RecentDurations } from "./recent_durations.ts";
import { MetricsRegistry } from "./registry.ts";
import type { MetricRow } from "./table.ts";

/** What a thread measures of itself; names are those that prom-client has for a process. */
export const THREAD_METRICS = {
  nodejs_eventloop_lag_mean_seconds: {
    type: "gauge",
    join: "max",
    labels: [],
    help: "Mean delay of a worker's event loop in the last minute, where it is longest.",
  },
  nodejs_eventloop_lag_max_seconds: {
    type: "gauge",
    join: "max",
    labels: [],
    help: "Longest delay of a worker's event loop in the last minute.",
  },
  nodejs_eventloop_lag_p99_seconds: {
    type: "gauge",
    join: "max",
    labels: [],
    help: "99 % of the delays of a worker's event loop in the last minute, where it is longest.",
  },
  nodejs_heap_size_used_bytes: {
    type: "gauge",
    join: "sum",
    labels: [],
    help: "JavaScript heaps of the main thread and the workers.",
  },
  nodejs_external_memory_bytes: {
    type: "gauge",
    join: "sum",
    labels: [],
    help: "What these heaps hold outside themselves.",
  },
} as const satisfies Record<string, MetricRow>;

/** The memory of this thread, and how late its event loop is. */
export class ThreadMetrics {
  readonly registry = new MetricsRegistry(THREAD_METRICS);

  constructor() {
    this.registry.watch(() => process.memoryUsage(), { // heap and external are the thread's own
      nodejs_heap_size_used_bytes: ({ heapUsed }) => heapUsed,
      nodejs_external_memory_bytes: ({ external }) => external,
    });
  }

  /**
   * Measures the event loop from here on. For threads whose delay somebody feels: the main thread's
   * would hide the workers'.
   *
   * @returns what ends it
   */
  watchEventLoop(): () => void {
    const delays = new RecentDurations(() => performance.now(), HALF_WINDOW_MS);
    this.registry.watch(() => delays.read(), {
      nodejs_eventloop_lag_mean_seconds: ({ mean }) => mean / 1e9,
      nodejs_eventloop_lag_max_seconds: ({ max }) => max / 1e9,
      nodejs_eventloop_lag_p99_seconds: ({ percentile }) => percentile(99) / 1e9,
    });
    let dueMs = performance.now() + TICK_MS;
    // `monitorEventLoopDelay` of Deno does not see a blocked event loop
    const timer = setInterval(() => {
      const nowMs = performance.now();
      delays.record((nowMs - dueMs) * 1e6);
      dueMs = nowMs + TICK_MS;
    }, TICK_MS);
    timer.unref();
    return () => clearInterval(timer);
  }
}

/** Each time wakes an idle thread. */
const TICK_MS = 100;
const HALF_WINDOW_MS = 30_000;
