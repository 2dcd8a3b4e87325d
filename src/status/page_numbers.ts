import type { MetricSnapshot, SampleValue } from "../telemetry/metrics/registry.ts";

/** The samples of a metric; none where it is not there. */
export function samplesOf(
  metrics: readonly MetricSnapshot[],
  name: string,
): readonly SampleValue[] {
  return metrics.find((metric) => metric.name === name)?.values ?? [];
}

/**
 * An estimate of a quantile from a histogram's buckets, as PromQL's histogram_quantile makes it.
 *
 * @param buckets cumulative counts by upper bound, the last one Infinity; in any order
 * @returns undefined without observations; Infinity for what lies above all finite bounds
 */
export function quantile(q: number, buckets: ReadonlyMap<number, number>): number | undefined {
  const ordered = [...buckets].toSorted(([a], [b]) => a - b);
  const total = ordered.at(-1)?.[1] ?? 0;
  if (total === 0) return undefined;
  const rank = q * total;
  let [below, countBelow] = [0, 0];
  for (const [bound, count] of ordered) {
    if (count >= rank) {
      if (bound === Infinity) return Infinity;
      const share = count === countBelow ? 1 : (rank - countBelow) / (count - countBelow);
      return below + (bound - below) * share;
    }
    [below, countBelow] = [bound, count];
  }
  return Infinity;
}

/** "85 µs", "1.2 ms", "3.4 s": two digits, for estimates. */
export function secondsText(seconds: number): string {
  const [unit, size] = UNITS.find(([, size]) => seconds >= size) ?? UNITS.at(-1)!;
  return `${Number((seconds / size).toPrecision(2))} ${unit}`;
}

/** "3 d 4 h", "5 min": the two largest units. */
export function spanText(seconds: number): string {
  const parts: string[] = [];
  let left = Math.max(0, Math.floor(seconds));
  for (const [unit, size] of SPANS) {
    if (left >= size) parts.push(`${Math.floor(left / size)} ${unit}`);
    left %= size;
  }
  return parts.slice(0, 2).join(" ") || "0 s";
}

/** "12,345". */
export function countText(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(?:\d{3})+$)/g, ",");
}

/** "2026-01-31 12:00:00", UTC. */
export function timeText(unixMs: number): string {
  const date = new Date(unixMs);
  if (Number.isNaN(date.getTime())) return "beyond the calendar";
  return date.toISOString().slice(0, -5).replace("T", " ");
}

const UNITS: readonly (readonly [string, number])[] = [["s", 1], ["ms", 1e-3], ["µs", 1e-6]];
const SPANS: readonly (readonly [string, number])[] = [
  ...([["d", 86_400], ["h", 3_600], ["min", 60], ["s", 1]] as const),
];
