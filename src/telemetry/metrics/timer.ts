import { EventRates } from "./event_rates.ts";
import { RecentDurations } from "./recent_durations.ts";
import { HistogramSeries } from "./series.ts";
import type { Join } from "./table.ts";

/**
 * What a timer says, once: the last part of each name, in every form. Durations are nanoseconds,
 * rates events a second. Sum, count and rates are of all durations since the start; the others of
 * the last 5 to 10 minutes, and 0 where there were none.
 *
 * Source: ghostunnel's metrics page, "JSON format" and "Prometheus format".
 */
export const TIMER_PARTS = {
  count: { type: "counter", join: "sum", help: "how many" },
  sum: { type: "counter", join: "sum", help: "sum, in ns" },
  min: { type: "gauge", join: "min", help: "shortest of the last minutes, in ns" },
  max: { type: "gauge", join: "max", help: "longest of the last minutes, in ns" },
  mean: { type: "gauge", join: "average", help: "mean of the last minutes, in ns" },
  std_dev: { type: "gauge", join: "average", help: "standard deviation, in ns" },
  variance: { type: "gauge", join: "average", help: "variance, in square ns" },
  "50-percentile": { type: "gauge", join: "average", help: "half are no longer, in ns" },
  "75-percentile": { type: "gauge", join: "average", help: "75 % are no longer, in ns" },
  "95-percentile": { type: "gauge", join: "average", help: "95 % are no longer, in ns" },
  "99-percentile": { type: "gauge", join: "average", help: "99 % are no longer, in ns" },
  rate1: { type: "gauge", join: "sum", help: "a second, over about a minute" },
  rate5: { type: "gauge", join: "sum", help: "a second, over about 5 minutes" },
  rate15: { type: "gauge", join: "sum", help: "a second, over about 15 minutes" },
  rate_mean: { type: "gauge", join: "sum", help: "a second, since the start" },
} as const satisfies Record<string, TimerPartRow>;

export type TimerPart = keyof typeof TIMER_PARTS;

interface TimerPartRow {
  readonly type: "counter" | "gauge";
  /** How the values of several workers become one; percentiles only nearly. */
  readonly join: Join;
  readonly help: string;
}

/** How long something takes, and how often it happens. */
export class Timer {
  /** All durations since the start, in nanoseconds. */
  readonly histogram: HistogramSeries;
  readonly #recent: RecentDurations;
  readonly #rates: EventRates;

  /**
   * @param boundsNs the histogram's buckets
   * @param nowMs a clock that never goes back
   */
  constructor(boundsNs: readonly number[], nowMs: () => number = () => performance.now()) {
    this.histogram = new HistogramSeries(boundsNs);
    this.#recent = new RecentDurations(nowMs);
    this.#rates = new EventRates(nowMs);
  }

  /** Something took so long; below zero counts as zero. Some 150 ns. */
  observe(durationMs: number): void {
    const nanoseconds = Math.max(0, durationMs * 1e6);
    this.histogram.observe(nanoseconds);
    this.#recent.record(nanoseconds);
    this.#rates.mark();
  }

  read(): Readonly<Record<TimerPart, number>> {
    const { min, max, mean, stdDev, percentile } = this.#recent.read();
    const { rates: [rate1, rate5, rate15], mean: rateMean } = this.#rates.read();
    return {
      count: this.histogram.count,
      sum: this.histogram.sum,
      min,
      max,
      mean,
      std_dev: stdDev,
      variance: stdDev ** 2,
      "50-percentile": percentile(50),
      "75-percentile": percentile(75),
      "95-percentile": percentile(95),
      "99-percentile": percentile(99),
      rate1,
      rate5,
      rate15,
      rate_mean: rateMean,
    };
  }
}
