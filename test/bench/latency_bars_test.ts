import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createHistogram, decodeHistogram, encodeHistogram } from "../../src/bench/histogram.ts";
import { latencyBars } from "../../src/bench/latency_bars.ts";

function barsOf(values: readonly number[], maxBars: number) {
  const histogram = createHistogram();
  for (const value of values) histogram.recordValue(value);
  return latencyBars(histogram, maxBars);
}

test("bars have round bounds, and every value stands in the one that it lies in", () => {
  const bars = barsOf([110_000, 150_000, 160_000, 480_000], 6);
  assert.deepEqual(bars, [
    { fromNs: 100_000, toNs: 150_000, count: 2 },
    { fromNs: 150_000, toNs: 200_000, count: 1 },
    { fromNs: 200_000, toNs: 300_000, count: 0 },
    { fromNs: 300_000, toNs: 500_000, count: 1 },
  ]);
});

test("a value at a bound stands below it, also when it was written down and read again", () => {
  const histogram = createHistogram();
  for (const value of [60_000, 100_000]) histogram.recordValue(value);
  for (const each of [histogram, decodeHistogram(encodeHistogram(histogram))]) {
    const bars = latencyBars(each, 3);
    assert.deepEqual(bars.map(({ toNs, count }) => [toNs, count]), [[60_000, 1], [80_000, 0], [
      100_000,
      1,
    ]]);
  }
});

test("what spreads over many decades has a bar for each", () => {
  const bars = barsOf([50, 5_000_000_000], 12);
  assert.equal(bars.length, 9);
  assert.deepEqual([bars[0]!.count, bars.at(-1)!.count], [1, 1]);
});

test("nothing recorded gives no bars", () => {
  assert.deepEqual(barsOf([], 12), []);
});

test("whatever was recorded, bars join, count everything, begin and end with something", () => {
  const value = fc.oneof(
    fc.integer({ min: 0, max: 3_600_000_000_000 }),
    fc.integer({ min: 0, max: 1_000 }),
    fc.integer({ min: 90_000, max: 110_000 }),
  );
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 50 }), (values) => {
      const bars = barsOf(values, 14);
      assert.ok(bars.length >= 1 && bars.length <= 14, String(bars.length));
      assert.equal(bars.reduce((sum, { count }) => sum + count, 0), values.length);
      for (const [at, { fromNs, toNs }] of bars.entries()) {
        assert.ok(fromNs < toNs);
        if (at > 0) assert.equal(fromNs, bars[at - 1]!.toNs);
      }
      assert.ok(bars[0]!.count > 0 && bars.at(-1)!.count > 0, JSON.stringify(bars));
    }),
    { numRuns: 300 },
  );
});
