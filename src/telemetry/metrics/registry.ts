import { CounterSeries, Family, HistogramSeries, type Labels, SummarySeries } from "./series.ts";
import type { MetricRow } from "./table.ts";

/** One metric at one moment: prom-client's JSON, which can be sent between workers. */
export interface MetricSnapshot {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram" | "summary";
  /** How several are joined: prom-client's names. */
  readonly aggregator: string;
  readonly values: readonly SampleValue[];
}

export interface SampleValue {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  /** Where it is not the metric's own: "…_bucket", "…_sum", "…_count". */
  readonly metricName?: string;
}

/** A value at the moment of a scrape. */
export interface WatchedValue {
  readonly labels?: Labels;
  readonly value: number;
}

/** The metrics of one table: series that are counted here, and what is read when scraped. */
export class MetricsRegistry<Table extends Readonly<Record<string, MetricRow>>> {
  readonly #table: Table;
  readonly #readers = new Map<string, Reader>();

  constructor(table: Table) {
    this.#table = table;
  }

  /** The counter of a row; to be asked for once. */
  counter(name: NamesOf<Table, "counter">): Family<CounterSeries> {
    const family = new Family(this.#row(name).labels, () => new CounterSeries());
    this.#add(name, () => Array.from(family, ([labels, { value }]) => ({ labels, value })));
    return family;
  }

  /** The histogram of a row; to be asked for once. */
  histogram(name: NamesOf<Table, "histogram">): Family<HistogramSeries> {
    const family = new Family(this.#row(name).labels, () => new HistogramSeries());
    this.#add(name, () => Array.from(family, (each) => bucketSamples(name, ...each)).flat());
    return family;
  }

  /** The summary of a row, which has a count and a sum alone; to be asked for once. */
  summary(name: NamesOf<Table, "summary">): Family<SummarySeries> {
    const family = new Family(this.#row(name).labels, () => new SummarySeries());
    this.#add(name, () =>
      Array.from(family, ([labels, { count, sum }]) => [
        { labels, value: sum, metricName: `${name}_sum` },
        { labels, value: count, metricName: `${name}_count` },
      ]).flat());
    return family;
  }

  /**
   * Says how gauges are read, and counters that are counted elsewhere. `state` is asked once a
   * snapshot, however many metrics it has: all of them are of one moment.
   */
  watch<State>(
    state: () => State,
    read: Readonly<Partial<Record<NamesOf<Table, "gauge" | "counter">, (state: State) => Values>>>,
  ): void {
    for (const [name, values] of Object.entries<((state: State) => Values) | undefined>(read)) {
      if (values === undefined) continue;
      this.#add(name, (states) => {
        if (!states.has(state)) states.set(state, state());
        const found = values(states.get(state) as State);
        if (typeof found === "number") return [{ labels: {}, value: found }];
        return found.map(({ labels = {}, value }) => ({ labels, value }));
      });
    }
  }

  /** All metrics that have a source, in the table's order. */
  snapshot(): MetricSnapshot[] {
    const states: States = new Map();
    return Object.entries(this.#table).flatMap(([name, row]) => {
      const read = this.#readers.get(name);
      if (read === undefined) return [];
      const aggregator = row.type === "gauge" ? row.join : "sum";
      return [{ name, help: row.help, type: row.type, aggregator, values: read(states) }];
    });
  }

  #row(name: string): MetricRow {
    return this.#table[name]!;
  }

  #add(name: string, read: Reader): void {
    if (this.#readers.has(name)) throw new Error(`${name} has a source already`);
    this.#readers.set(name, read);
  }
}

/** The samples of one series of a histogram: buckets, sum and count. */
export function bucketSamples(
  name: string,
  labels: Labels,
  { bounds, counts, sum }: HistogramSeries,
): SampleValue[] {
  let count = 0;
  const bucket = (le: string | number) => ({
    labels: { ...labels, le },
    value: count,
    metricName: `${name}_bucket`,
  });
  const samples: SampleValue[] = bounds.map((bound, i) => {
    count += counts[i]!;
    return bucket(bound);
  });
  count += counts[bounds.length]!;
  return [
    ...samples,
    bucket("+Inf"),
    { labels, value: sum, metricName: `${name}_sum` },
    { labels, value: count, metricName: `${name}_count` },
  ];
}

/** What watched metrics read their values from, while a snapshot is made. */
type States = Map<() => unknown, unknown>;
type Reader = (states: States) => readonly SampleValue[];

/** One value without labels, or one for each series. */
type Values = number | readonly WatchedValue[];

type NamesOf<Table, Type> =
  & {
    [Name in keyof Table]: Table[Name] extends { readonly type: Type } ? Name : never;
  }[keyof Table]
  & string;
