import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  changeText,
  durationText,
  quantityText,
  rateText,
  shareText,
} from "../../../cli/bench/quantities.ts";

test("durations have three digits and the unit that suits them", () => {
  const texts: readonly [nanoseconds: number, text: string][] = [
    [0, "0 ns"],
    [1, "1 ns"],
    [999, "999 ns"],
    [999.6, "1 µs"],
    [1_000, "1 µs"],
    [12_345, "12.3 µs"],
    [999_499, "999 µs"],
    [999_500, "1 ms"],
    [1_234_567, "1.23 ms"],
    [59_990_000_000, "60 s"],
    [3_600_000_000_000, "3600 s"],
  ];
  for (const [nanoseconds, text] of texts) assert.equal(durationText(nanoseconds), text);
  assert.equal(quantityText(500_223, "nanoseconds"), "500.2 µs");
});

test("a duration that is read back is within half of its third digit", () => {
  const sizes: Readonly<Record<string, number>> = { ns: 1, "µs": 1e3, ms: 1e6, s: 1e9 };
  fc.assert(fc.property(fc.integer({ min: 1, max: 3_600_000_000_000 }), (nanoseconds) => {
    const [number = "", unit = ""] = durationText(nanoseconds).split(" ");
    assert.ok(Math.abs(Number(number) * sizes[unit]! / nanoseconds - 1) <= 0.005);
  }));
});

test("rates, shares and changes", () => {
  assert.deepEqual([0, 8.2512, 51_234.5].map(rateText), ["0/s", "8.25/s", "51,235/s"]);
  assert.deepEqual([0, 0.000123, 0.5, 1].map(shareText), ["0 %", "0.0123 %", "50 %", "100 %"]);
  assert.equal(shareText(1e-12), "0.000001 %");
  assert.equal(changeText(0.1024, "nanoseconds"), "+10.2 %");
  assert.equal(changeText(-0.05, "per second"), "-5 %");
  assert.equal(changeText(0, "per second"), "0 %");
  assert.equal(changeText(123.4, "per second"), "+12,340 %");
  assert.equal(changeText(0.001, "share"), "+0.1 points");
  assert.equal(changeText(undefined, "share"), "–");
  assert.equal(quantityText(undefined, "count"), "–");
  assert.equal(quantityText(1_234, "count"), "1,234");
});
