import { constructorFromBucketSize } from "hdr-histogram-js/dist/JsHistogramFactory.js";

/**
 * Durations of a window that ends now, in nanoseconds, within 1 %: so that a slow hour of last week
 * does not stand in today's percentiles.
 *
 * Two histograms run half a window apart and take every value. The older is read; when it has run a
 * whole window it is emptied, and is the younger one. What is read is therefore the last half to
 * whole window (5 to 10 minutes by default), and less just after the start.
 */
export class RecentDurations {
  readonly #nowMs: () => number;
  readonly #halfWindowMs: number;
  #older = emptyHistogram();
  #younger = emptyHistogram();
  #turnedMs: number;

  /** @param nowMs a clock that never goes back */
  constructor(nowMs: () => number, halfWindowMs: number = HALF_WINDOW_MS) {
    this.#nowMs = nowMs;
    this.#halfWindowMs = halfWindowMs;
    this.#turnedMs = nowMs();
  }

  record(nanoseconds: number): void {
    this.#turn();
    const value = Math.min(Math.max(Math.round(nanoseconds), 0), LONGEST_NS);
    this.#older.recordValue(value);
    this.#younger.recordValue(value);
  }

  /** All of them are 0 where there was no duration lately. */
  read(): RecentReading {
    this.#turn();
    const recent = this.#older;
    const percentile = (percent: number) => recent.getValueAtPercentile(percent);
    // of the bounds of their steps: no percentile is beyond them
    const [min, max] = [percentile(0), percentile(100)];
    return { min, max, mean: recent.mean, stdDev: recent.stdDeviation, percentile };
  }

  /** Done when it is next used instead of by a timer, which would wake an idle process. */
  #turn(): void {
    const elapsed = Math.floor((this.#nowMs() - this.#turnedMs) / this.#halfWindowMs);
    if (elapsed === 0) return;
    this.#turnedMs += elapsed * this.#halfWindowMs;
    this.#older.reset();
    if (elapsed > 1) this.#younger.reset();
    [this.#older, this.#younger] = [this.#younger, this.#older];
  }
}

/** What is known of the recent durations, in nanoseconds. */
export interface RecentReading {
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  readonly stdDev: number;
  /** The duration that so many per cent are no longer than; to be asked at once. */
  readonly percentile: (percent: number) => number;
}

/** Half of how long a duration is remembered at most, by default. */
export const HALF_WINDOW_MS = 300_000;

/** Longer ones count as this: 104 days. */
export const LONGEST_NS = Number.MAX_SAFE_INTEGER;

const FINEST_NS = 1;
const SIGNIFICANT_DIGITS = 2;

/** The package's main module would bring its WebAssembly and its encodings along. */
const Histogram = constructorFromBucketSize(32);

/** 24 KB. */
function emptyHistogram(): InstanceType<typeof Histogram> {
  return new Histogram(FINEST_NS, LONGEST_NS, SIGNIFICANT_DIGITS);
}
