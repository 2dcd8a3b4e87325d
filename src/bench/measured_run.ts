import { createHistogram, decodeHistogram, type Histogram } from "./histogram.ts";
import type { BenchOperationResult, BenchResult } from "./result.ts";

/** A result with its histograms, each decoded once. They are not to be changed. */
export class MeasuredRun {
  readonly result: BenchResult;
  readonly #decoded = new Map<string, Histogram>();
  #together: Histogram | undefined;

  /** @param result as a run ended with it, or `parseResult` read it */
  constructor(result: BenchResult) {
    this.result = result;
  }

  /** Latency of one operation's right answers. */
  latency({ latencyNs }: BenchOperationResult): Histogram {
    return this.decode(latencyNs);
  }

  /** Latency of the right answers of all operations together. */
  latencyOfAll(): Histogram {
    const { operations } = this.result;
    if (operations.length === 1) return this.latency(operations[0]!);
    return this.#together ??= sum(operations.map((operation) => this.latency(operation)));
  }

  /** A histogram of the result's. */
  decode(encoded: string): Histogram {
    const known = this.#decoded.get(encoded);
    if (known !== undefined) return known;
    const histogram = decodeHistogram(encoded);
    this.#decoded.set(encoded, histogram);
    return histogram;
  }
}

function sum(histograms: readonly Histogram[]): Histogram {
  const whole = createHistogram();
  for (const histogram of histograms) whole.add(histogram);
  return whole;
}
