import { type Histogram, toPairs } from "./histogram.ts";

/** How many values lie within two bounds. */
export interface LatencyBar {
  /** Nanoseconds; values are above `fromNs`, and at most `toNs`. */
  readonly fromNs: number;
  readonly toNs: number;
  readonly count: number;
}

/**
 * A histogram in a few bars with round bounds, as finely as `maxBars` allows; the first and the
 * last are never empty.
 *
 * @returns none where nothing was recorded
 */
export function latencyBars(histogram: Histogram, maxBars: number): readonly LatencyBar[] {
  const pairs = toPairs(histogram);
  if (pairs.length === 0) return [];
  // one end of what a histogram takes for equal, or 100 µs would be beyond the bound of 100 µs
  const valueAt = (at: number) => Math.max(1, histogram.lowestEquivalentValue(pairs.at(at)!));
  const bounds = STEPS.map((steps) => roundBounds(steps, valueAt(0), valueAt(-2)));
  const chosen = bounds.find(({ length }) => length - 1 <= maxBars) ?? bounds.at(-1)!;
  const counts = chosen.map(() => 0);
  for (let at = 0; at < pairs.length; at += 2) {
    const value = valueAt(at);
    counts[chosen.findIndex((bound) => value <= bound)]! += pairs[at + 1]!;
  }
  return chosen.slice(1).map((toNs, at) => ({ fromNs: chosen[at]!, toNs, count: counts[at + 1]! }));
}

/** Round numbers of each decade, about evenly spaced; the finest first. */
const STEPS: readonly (readonly number[])[] = [
  [10, 11, 12, 14, 16, 18, 20, 22, 25, 28, 32, 36, 40, 45, 50, 56, 63, 71, 80, 90],
  [10, 12, 15, 20, 25, 30, 40, 50, 60, 80],
  [10, 15, 20, 30, 50, 70],
  [10, 20, 50],
  [10],
];

/** From the last bound below the lowest value to the first that is not below the highest. */
function roundBounds(steps: readonly number[], lowest: number, highest: number): readonly number[] {
  const bounds: number[] = [];
  for (let decade = 0.01; decade <= highest; decade *= 10) {
    for (const step of steps) {
      const bound = Math.round(step * decade * 10) / 10;
      if (bound < lowest) bounds[0] = bound;
      else if ((bounds.at(-1) ?? 0) < highest) bounds.push(bound);
    }
  }
  return bounds;
}
