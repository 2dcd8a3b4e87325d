import type { Histogram } from "../../src/bench/histogram.ts";
import type { MeasuredRun } from "../../src/bench/measured_run.ts";

/** What `html_plots.js` draws. Latencies in milliseconds; null where there is none. */
export interface PlotData {
  /** Seconds since the start, at the end of each row of the series. */
  readonly seconds: readonly number[];
  readonly rates: readonly number[];
  readonly errors: readonly number[];
  readonly p50: readonly (number | null)[];
  readonly p99: readonly (number | null)[];
  /** 1 / (1 − percentile / 100): 10 is p90, 100 is p99. */
  readonly rarities: readonly number[];
  /** A line for each operation, and one for its service time in an open loop. */
  readonly lines: readonly PlotLine[];
}

export interface PlotLine {
  readonly name: string;
  /** At each rarity; null beyond what was measured. */
  readonly values: readonly (number | null)[];
}

export function plotData(run: MeasuredRun): PlotData {
  const { series, operations } = run.result;
  const histograms = operations.flatMap((operation) => {
    const own = { name: operation.name, histogram: run.latency(operation) };
    if (operation.serviceNs === null) return [own];
    const histogram = run.decode(operation.serviceNs);
    return [own, { name: `${operation.name} service time`, histogram }];
  });
  const most = Math.max(1, ...histograms.map(({ histogram }) => histogram.totalCount));
  const steps = Math.floor(Math.log10(most) * STEPS_A_DECADE);
  const rarities = Array.from({ length: steps + 1 }, (_, step) => 10 ** (step / STEPS_A_DECADE));
  const inMs = (answered: number, ns: number) => answered === 0 ? null : ns / 1e6;
  return {
    seconds: series.map(({ atSeconds, spanSeconds }) => atSeconds + spanSeconds),
    rates: series.map(({ ratePerSecond }) => ratePerSecond),
    errors: series.map(({ errors, spanSeconds }) => spanSeconds === 0 ? 0 : errors / spanSeconds),
    p50: series.map(({ answered, p50Ns }) => inMs(answered, p50Ns)),
    p99: series.map(({ answered, p99Ns }) => inMs(answered, p99Ns)),
    rarities,
    lines: histograms.map(({ name, histogram }) => ({
      name,
      values: rarities.map((rarity) => latencyAt(histogram, rarity)),
    })),
  };
}

const STEPS_A_DECADE = 20;

function latencyAt(histogram: Histogram, rarity: number): number | null {
  if (rarity > histogram.totalCount) return null;
  return histogram.getValueAtPercentile(100 - 100 / rarity) / 1e6;
}
