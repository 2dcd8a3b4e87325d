import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { dueMs } from "../../src/bench/schedule.ts";

test("without a ramp requests are due at equal distances", () => {
  const schedule = { ratePerSecond: 200, rampMs: 0 };
  assert.deepEqual([0, 1, 2, 200].map((index) => dueMs(schedule, index)), [0, 5, 10, 1_000]);
});

test("in a ramp the rate climbs evenly, and goes on at its height", () => {
  const schedule = { ratePerSecond: 1_000, rampMs: 2_000 };
  // the area under the ramp: half of what the full rate would be
  assert.equal(dueMs(schedule, 1_000), 2_000);
  assert.equal(dueMs(schedule, 250), 1_000);
  assert.equal(dueMs(schedule, 1_500), 2_500);
});

test("what is due later has the higher number", () => {
  const schedule = fc.record({
    ratePerSecond: fc.integer({ min: 1, max: 1_000_000 }),
    rampMs: fc.integer({ min: 0, max: 60_000 }),
  });
  fc.assert(fc.property(schedule, fc.nat(10_000_000), (each, index) => {
    const due = dueMs(each, index);
    assert.ok(due >= 0 && Number.isFinite(due));
    assert.ok(dueMs(each, index + 1) > due);
  }));
});
