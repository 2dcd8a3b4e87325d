import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import fc from "fast-check";
import { type ToWallTime, WallClock } from "../../../src/telemetry/tracing/wall_clock.ts";

const dateNow = Date.now;

afterEach(() => {
  Date.now = dateNow;
});

/** How far a clock is from the wall's, in milliseconds. */
function apartMs(toWallTime: ToWallTime): number {
  const [seconds, nanoseconds] = toWallTime(performance.now()) as [number, number];
  return Math.abs(seconds * 1_000 + nanoseconds / 1e6 - Date.now());
}

describe("the wall's clock", () => {
  test("is where Date has it", () => {
    assert.ok(apartMs(new WallClock().now()) < 50);
  });

  for (const shiftMs of [3_600_000, -3_600_000]) {
    test(`is followed when it is set by ${shiftMs} ms`, () => {
      const clock = new WallClock();
      clock.now();
      Date.now = () => dateNow() + shiftMs;
      assert.ok(apartMs(clock.now()) < 50);
    });
  }

  test("stands still for the times of a request when it is set meanwhile", () => {
    const clock = new WallClock();
    const toWallTime = clock.now();
    const before = toWallTime(1_000);
    Date.now = () => dateNow() - 3_600_000;
    clock.now();
    assert.deepEqual(toWallTime(1_000), before);
  });

  test("keeps the order of times, and has nanoseconds below a second", () => {
    const toWallTime = new WallClock().now();
    const ms = fc.double({ min: 0, max: 1e10, noNaN: true });
    fc.assert(fc.property(ms, fc.double({ min: 0, max: 5, noNaN: true }), (first, laterMs) => {
      const [s1, n1] = toWallTime(first) as [number, number];
      const [s2, n2] = toWallTime(first + laterMs) as [number, number];
      assert.ok(s2 > s1 || (s2 === s1 && n2 >= n1));
      assert.ok(Number.isInteger(n1) && n1 >= 0 && n1 < 1e9);
    }));
  });
});
