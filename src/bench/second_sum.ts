import { addPairs, createHistogram } from "./histogram.ts";
import type { Interval } from "./messages.ts";
import type { BenchSecond } from "./result.ts";

/** What is shown while a benchmark runs: a second of all threads together. */
export interface LiveSecond extends BenchSecond {
  readonly phase: "warmup" | "measure";
}

/** Adds up a second of a phase, thread by thread. */
export class SecondSum {
  readonly phase: LiveSecond["phase"];
  /** Those that have reported it. */
  threads = 0;
  readonly #index: number;
  readonly #latency = createHistogram();
  #spanMs = 0;
  #arrived = 0;
  #errors = 0;

  constructor(phase: LiveSecond["phase"], index: number) {
    this.phase = phase;
    this.#index = index;
  }

  add({ operations, spanMs }: Interval): void {
    this.threads++;
    this.#spanMs = Math.max(this.#spanMs, spanMs);
    for (const { arrived, latencyNs, errors, lost, dropped } of operations) {
      this.#arrived += arrived;
      addPairs(this.#latency, latencyNs);
      this.#errors += errors.reduce((sum, [, count]) => sum + count, lost + dropped);
    }
  }

  row(): BenchSecond {
    const spanSeconds = this.#spanMs / 1_000;
    const percentile = (percent: number) =>
      this.#latency.totalCount === 0 ? 0 : this.#latency.getValueAtPercentile(percent);
    return {
      atSeconds: this.#index,
      spanSeconds,
      answered: this.#arrived,
      ratePerSecond: spanSeconds === 0 ? 0 : this.#arrived / spanSeconds,
      errors: this.#errors,
      p50Ns: percentile(50),
      p99Ns: percentile(99),
    };
  }
}
