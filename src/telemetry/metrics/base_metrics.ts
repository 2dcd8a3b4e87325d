import { hostname } from "node:os";
import { BASE_METRICS, type BaseRow, Sums, type TimerName } from "./base_table.ts";
import { bucketSamples, type MetricSnapshot } from "./registry.ts";
import { BUCKETS, type Join } from "./table.ts";
import { Timer, TIMER_PARTS } from "./timer.ts";

/** One value of a base metric. */
export interface BaseValue {
  /** Without prefix, a timer's with its part: "conn.open", "conn.handshake.99-percentile". */
  readonly name: string;
  readonly type: "counter" | "gauge" | "timer";
  readonly value: number;
}

/** An element of the JSON form. */
export interface MetricSample {
  /** Unix time in seconds. */
  readonly timestamp: number;
  readonly metric: string;
  readonly value: number;
  readonly hostname: string;
}

/**
 * The base metrics of a server. `metrics` is always a snapshot of the metrics of the table METRICS, of
 * all its threads.
 */
export class BaseMetrics {
  /** To be told of what they measure. */
  readonly timers: Readonly<Record<TimerName, Timer>> = {
    "conn.handshake": new Timer(HANDSHAKE_BOUNDS_NS),
    "conn.lifetime": new Timer(LIFETIME_BOUNDS_NS),
  };

  /** All values at this moment, in the table's order. */
  values(metrics: readonly MetricSnapshot[]): BaseValue[] {
    const all = new Sums(metrics);
    return ROWS.flatMap(([name, row]): BaseValue[] => {
      if (row.type !== "timer") return [{ name, type: row.type, value: row.read(all) }];
      return Object.entries(this.timers[name as TimerName].read())
        .map(([part, value]) => ({ name: `${name}.${part}`, type: "timer", value }));
    });
  }

  /** The JSON form. */
  samples(
    metrics: readonly MetricSnapshot[],
    prefix: string,
    unixSeconds = Math.floor(Date.now() / 1_000),
  ): MetricSample[] {
    return toSamples(this.values(metrics), prefix, unixSeconds);
  }

  /**
   * For Prometheus, where names have underscores. Each timer is a histogram as well, `…_timer`, in
   * nanoseconds as all of it.
   */
  snapshotsFor(metrics: readonly MetricSnapshot[], prefix: string): MetricSnapshot[] {
    const all = new Sums(metrics);
    return ROWS.flatMap(([shortName, row]) => {
      const name = prometheusName(`${prefix}.${shortName}`);
      if (row.type === "timer") {
        return timerSnapshots(name, row.help, this.timers[shortName as TimerName]);
      }
      return [oneValue(name, row, row.help, row.read(all))];
    });
  }
}

/** The JSON form of values. */
export function toSamples(
  values: readonly BaseValue[],
  prefix: string,
  unixSeconds: number,
): MetricSample[] {
  const host = hostname();
  return values.map(({ name, value }) => {
    return { timestamp: unixSeconds, metric: `${prefix}.${name}`, value, hostname: host };
  });
}

function timerSnapshots(name: string, help: string, timer: Timer): MetricSnapshot[] {
  const reading = timer.read();
  const histogram = `${name}_timer`;
  return [
    ...Object.entries(TIMER_PARTS).map(([part, row]) =>
      oneValue(
        prometheusName(`${name}.${part}`),
        row,
        `${help} ${row.help}`,
        reading[part as keyof typeof reading],
      )
    ),
    {
      name: histogram,
      help: `${help} In ns.`,
      type: "histogram",
      aggregator: "sum",
      values: bucketSamples(histogram, {}, timer.histogram),
    },
  ];
}

function oneValue(
  name: string,
  { type, join }: { readonly type: "counter" | "gauge"; readonly join: Join },
  help: string,
  value: number,
): MetricSnapshot {
  return { name, help, type, aggregator: join, values: [{ labels: {}, value }] };
}

function prometheusName(name: string): string {
  return name.replace(/[^A-Za-z0-9]/g, "_");
}

const ROWS: readonly [string, BaseRow][] = Object.entries(BASE_METRICS);

const HANDSHAKE_BOUNDS_NS = BUCKETS.map((seconds) => Math.round(seconds * 1e9));

/** 0.1 s, 1 s, 10 s, 1 min, 10 min, 1 h, 6 h, 1 d, 7 d. */
const LIFETIME_BOUNDS_NS = [0.1, 1, 10, 60, 600, 3_600, 21_600, 86_400, 604_800]
  .map((seconds) => seconds * 1e9);
