import { BUCKETS } from "./table.ts";

/** One time series of a counter. */
export class CounterSeries {
  value = 0;

  add(amount = 1): void {
    this.value += amount;
  }
}

/**
 * One time series of a histogram. It only counts: what an observation costs is paid by every
 * request, and prom-client's own takes some 280 ns.
 */
export class HistogramSeries {
  /** The buckets' upper bounds, ascending. */
  readonly bounds: readonly number[];
  /** Of each bucket alone, not cumulative; the last is what lies above all bounds. */
  readonly counts: Float64Array;
  sum = 0;

  constructor(bounds: readonly number[] = BUCKETS) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  /** @param value in the unit of the bounds; below zero counts as zero */
  observe(value: number): void {
    const { bounds } = this;
    let bucket = 0;
    while (bucket < bounds.length && value > bounds[bucket]!) bucket++;
    this.counts[bucket]! += 1;
    if (value > 0) this.sum += value;
  }

  get count(): number {
    return this.counts.reduce((sum, count) => sum + count, 0);
  }
}

/** One time series of a summary without quantiles. */
export class SummarySeries {
  count = 0;
  sum = 0;

  observe(value: number): void {
    this.count += 1;
    this.sum += value;
  }
}

/** All series of a metric, each made when it is first asked for, and kept. */
export class Family<Series> {
  readonly labelNames: readonly string[];
  readonly #create: () => Series;
  readonly #series = new Map<string, { readonly values: readonly string[]; readonly it: Series }>();

  constructor(labelNames: readonly string[], create: () => Series) {
    this.labelNames = labelNames;
    this.#create = create;
  }

  /**
   * The series with these values of the labels, in their order. For the path of a request: ask once
   * and keep it. Values come from tables, never from peers, so that there are few.
   */
  with(...values: readonly string[]): Series {
    const key = values.join("\n");
    const known = this.#series.get(key);
    if (known !== undefined) return known.it;
    const it = this.#create();
    this.#series.set(key, { values, it });
    return it;
  }

  *[Symbol.iterator](): IterableIterator<[Labels, Series]> {
    for (const { values, it } of this.#series.values()) {
      yield [Object.fromEntries(this.labelNames.map((name, i) => [name, values[i] ?? ""])), it];
    }
  }
}

export type Labels = Readonly<Record<string, string>>;
