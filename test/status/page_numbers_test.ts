import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  countText,
  quantile,
  secondsText,
  spanText,
  timeText,
} from "../../src/status/page_numbers.ts";

describe("quantile", () => {
  const buckets = new Map([[Infinity, 100], [0.1, 50], [0.2, 90], [0.4, 99]]);
  const cases: readonly (readonly [q: number, expected: number])[] = [
    ...([[0.5, 0.1], [0.25, 0.05], [0.7, 0.15], [0.99, 0.4], [0.995, Infinity]] as const),
  ];
  for (const [q, expected] of cases) {
    test(`${q} lies at ${expected}`, () => {
      const found = quantile(q, buckets)!;
      assert.ok(found === expected || Math.abs(found - expected) < 1e-9, `${found}`);
    });
  }

  test("of nothing is not known", () => {
    assert.equal(quantile(0.5, new Map()), undefined);
    assert.equal(quantile(0.5, new Map([[0.1, 0], [Infinity, 0]])), undefined);
  });

  test("lies in the bucket that holds it", () => {
    const counts = fc.array(fc.nat(1_000), { minLength: 3, maxLength: 3 });
    fc.assert(fc.property(counts, fc.double({ min: 0.01, max: 1, noNaN: true }), (each, q) => {
      const [a, b, c] = each as [number, number, number];
      fc.pre(a + b + c > 0);
      const cumulative = new Map([[1, a], [2, a + b], [Infinity, a + b + c]]);
      const rank = q * (a + b + c);
      const found = quantile(q, cumulative)!;
      const [low, high] = a >= rank ? [0, 1] : a + b >= rank ? [1, 2] : [Infinity, Infinity];
      assert.ok(found >= low && found <= high, `${found} is not from ${low} to ${high}`);
    }));
  });
});

describe("numbers for a person", () => {
  const texts: readonly [found: string, expected: string][] = [
    [secondsText(0.000_085), "85 µs"],
    [secondsText(0.000_000_4), "0.4 µs"],
    [secondsText(0.001_23), "1.2 ms"],
    [secondsText(0.0999), "100 ms"],
    [secondsText(1.638_4), "1.6 s"],
    [secondsText(120), "120 s"],
    [secondsText(0), "0 µs"],
    [spanText(0), "0 s"],
    [spanText(59.9), "59 s"],
    [spanText(61), "1 min 1 s"],
    [spanText(3_600), "1 h"],
    [spanText(90_061), "1 d 1 h"],
    [countText(999), "999"],
    [countText(1_234_567), "1,234,567"],
    [timeText(Date.UTC(2026, 0, 31, 12)), "2026-01-31 12:00:00"],
    [timeText(9e15), "beyond the calendar"],
  ];
  for (const [found, expected] of texts) test(expected, () => assert.equal(found, expected));
});
