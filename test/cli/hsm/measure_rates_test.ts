import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { recommendedSessions, stepsUpTo } from "../../../cli/hsm/measure_rates.ts";

const rates = (...perSecond: readonly number[]) => ({
  rates: perSecond.map((each, index) => ({ sessions: 2 ** index, perSecond: each })),
  stopped: undefined,
});

describe("stepsUpTo", () => {
  const CASES: readonly [most: number, steps: readonly number[]][] = [
    [1, [1]],
    [2, [1, 2]],
    [3, [1, 2, 3]],
    [15, [1, 2, 4, 8, 15]],
    [16, [1, 2, 4, 8, 16]],
  ];
  for (const [most, steps] of CASES) {
    test(`doubles up to ${most}`, () => assert.deepEqual(stepsUpTo(most), steps));
  }
});

describe("recommendedSessions", () => {
  test("is the least within a tenth of the best", () => {
    assert.equal(recommendedSessions([rates(100, 200, 400, 404, 402)]), 4);
    assert.equal(recommendedSessions([rates(91, 100, 99)]), 1);
    assert.equal(recommendedSessions([rates(89, 100, 99)]), 2);
  });

  test("serves the kind of key that gains most", () => {
    assert.equal(recommendedSessions([rates(100, 100, 100), rates(10, 20, 40)]), 4);
  });

  test("is none where nothing was measured", () => {
    assert.equal(recommendedSessions([]), undefined);
    assert.equal(recommendedSessions([rates()]), undefined);
  });

  test("is a number that was measured, whatever the rates", () => {
    fc.assert(fc.property(
      fc.array(fc.array(fc.integer({ min: 0, max: 1e6 }), { minLength: 1 }), { minLength: 1 }),
      (kinds) => {
        const measured = kinds.map((each) => rates(...each));
        const sessions = measured.flatMap((each) => each.rates.map((rate) => rate.sessions));
        assert.ok(sessions.includes(recommendedSessions(measured)!));
      },
    ));
  });
});
