import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Pace } from "../../src/status/pace.ts";

describe("a pace", () => {
  test("lets its burst begin at once, then one for each interval", () => {
    const pace = new Pace({ perSecond: 100, burst: 3 });
    const begun = begin(pace, Array.from({ length: 100 }, (_, ms) => 5_000 + ms));
    assert.deepEqual(begun.slice(0, 6), [5_000, 5_001, 5_002, 5_010, 5_020, 5_030]);
  });

  test("says how long the next one waits", () => {
    const pace = new Pace({ perSecond: 4, burst: 1 });
    assert.equal(pace.waitMs(1_000), 0);
    pace.begin(1_000);
    assert.equal(pace.waitMs(1_000), 250);
    assert.equal(pace.waitMs(1_249), 1);
    assert.equal(pace.waitMs(1_250), 0);
  });

  test("has no more than its burst after a quiet time, however long", () => {
    const pace = new Pace({ perSecond: 10, burst: 2 });
    pace.begin(0);
    assert.deepEqual(begin(pace, [1e9, 1e9, 1e9, 1e9]), [1e9, 1e9]);
  });

  test("is kept in any stretch of time", () => {
    const gaps = fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 20, maxLength: 200 });
    fc.assert(
      fc.property(gaps, fc.integer({ min: 1, max: 9 }), (gaps, burst) => {
        let nowMs = 0;
        const begun = begin(new Pace({ perSecond: 100, burst }), gaps.map((gap) => nowMs += gap));
        for (const [from, first] of begun.entries()) {
          for (const [to, last] of begun.entries()) {
            if (to >= from) assert.ok(to - from + 1 <= burst + (last - first) / 10);
          }
        }
      }),
    );
  });
});

/** Of those who come at these times, when those came who may begin. */
function begin(pace: Pace, timesMs: readonly number[]): number[] {
  return timesMs.filter((nowMs) => {
    if (pace.waitMs(nowMs) > 0) return false;
    pace.begin(nowMs);
    return true;
  });
}
