import { setImmediate as nextTurn } from "node:timers/promises";
import promClient from "prom-client";
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

/** A value of a gauge at the moment of a scrape. */
export interface GaugeValue {
  readonly labels?: Labels;
  readonly value: number;
}

/** "text" is Prometheus's text format 0.0.4; "openmetrics" is OpenMetrics 1.0. */
export type MetricsFormat = "text" | "openmetrics";

/** The media type of each format. */
export const CONTENT_TYPES: Readonly<Record<MetricsFormat, string>> = {
  text: promClient.Registry.PROMETHEUS_CONTENT_TYPE,
  openmetrics: promClient.Registry.OPENMETRICS_CONTENT_TYPE,
};

/** The metrics of one table: series that are counted, and gauges that are read when scraped. */
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
   * Says how gauges are read. `state` is asked once a snapshot, however many gauges it has: all of
   * them are of one moment.
   */
  gauges<State>(
    state: () => State,
    read: Readonly<Partial<Record<NamesOf<Table, "gauge">, (state: State) => Values>>>,
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

/**
 * Writes metrics out. The event loop has its turn after every `SAMPLES_A_TURN` samples, so that a
 * large scrape holds no request up.
 *
 * In OpenMetrics counters are named without `_total` and their samples with it; of two counters that
 * this makes the same the first is kept.
 */
export async function renderMetrics(
  metrics: readonly MetricSnapshot[],
  format: MetricsFormat = "text",
): Promise<string> {
  const openMetrics = format === "openmetrics";
  const registry = new promClient.Registry();
  registry.setContentType(CONTENT_TYPES[format] as never);
  const parts: string[] = [];
  const names = new Set<string>();
  let sinceTurn = 0;
  for (const metric of metrics) {
    const name = openMetrics && metric.type === "counter"
      ? metric.name.replace(/_total$/, "")
      : metric.name;
    if (names.has(name)) continue;
    names.add(name);
    for (let at = 0; at === 0 || at < metric.values.length; at += SAMPLES_A_TURN) {
      const values = metric.values.slice(at, at + SAMPLES_A_TURN);
      const text = await formatMetric(registry, { ...metric, name, values });
      parts.push(at === 0 ? text : withoutHead(text));
      sinceTurn += values.length;
      if (sinceTurn < SAMPLES_A_TURN) continue;
      sinceTurn = 0;
      await nextTurn();
    }
  }
  return `${parts.join("\n")}\n${openMetrics ? "# EOF\n" : ""}`;
}

/** prom-client reads a metric by its `get`. */
function formatMetric(
  registry: InstanceType<typeof promClient.Registry>,
  metric: MetricSnapshot,
): Promise<string> {
  const readable = registry as unknown as {
    getMetricsAsString(metric: { get(): MetricSnapshot }): Promise<string>;
  };
  return readable.getMetricsAsString({ get: () => metric });
}

/** What follows the lines HELP and TYPE. */
function withoutHead(text: string): string {
  return text.split("\n").slice(2).join("\n");
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

/** What groups of gauges read their values from, while a snapshot is made. */
type States = Map<() => unknown, unknown>;
type Reader = (states: States) => readonly SampleValue[];

/** One value without labels, or one for each series. */
type Values = number | readonly GaugeValue[];

type NamesOf<Table, Type> =
  & {
    [Name in keyof Table]: Table[Name] extends { readonly type: Type } ? Name : never;
  }[keyof Table]
  & string;

/** A millisecond or two of work, with long labels. */
const SAMPLES_A_TURN = 50;
