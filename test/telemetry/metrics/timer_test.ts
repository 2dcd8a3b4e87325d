import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { EventRates } from "../../../src/telemetry/metrics/event_rates.ts";
import { HALF_WINDOW_MS, LONGEST_NS } from "../../../src/telemetry/metrics/recent_durations.ts";
import { Timer, TIMER_PARTS } from "../../../src/telemetry/metrics/timer.ts";

const NS_A_MS = 1e6;
const PERCENTS = [50, 75, 95, 99] as const;

/** Durations in milliseconds, the same in every run. */
const DISTRIBUTIONS: Readonly<Record<string, readonly number[]>> = {
  "all the same": Array(1_000).fill(3.25),
  "1 to 1,000 ms evenly": Array.from({ length: 1_000 }, (_, i) => (i * 377) % 1_000 + 1),
  "exponential around 2 ms": Array.from(
    { length: 2_000 },
    (_, i) => -2 * Math.log((i + 0.5) / 2e3),
  ),
  "fast, and one in twenty slow": Array.from({ length: 1_000 }, (_, i) => i % 20 === 0 ? 9e3 : 0.4),
  "microseconds to days": Array.from({ length: 800 }, (_, i) => 0.002 * 1.035 ** i),
};

describe("a timer of durations that are", () => {
  for (const [name, durations] of Object.entries(DISTRIBUTIONS)) {
    test(`${name} knows their count and sum exactly, the rest within 1 %`, () => {
      const timer = new Timer([1e6], () => 0);
      for (const ms of durations) timer.observe(ms);
      const read = timer.read();
      const exact = momentsOf(durations.map((ms) => ms * NS_A_MS));
      assert.equal(read.count, durations.length);
      isNear(read.sum, exact.sum, 1e-9);
      isNear(read.min, exact.sorted[0]!);
      isNear(read.max, exact.sorted.at(-1)!);
      isNear(read.mean, exact.mean);
      for (const percent of PERCENTS) {
        const rank = Math.ceil(percent * durations.length / 100);
        isNear(read[`${percent}-percentile`], exact.sorted[rank - 1]!);
      }
      // the error of a deviation is a part of the values, not of itself
      assert.ok(Math.abs(read.std_dev - exact.stdDev) <= 0.01 * exact.mean + 0.01 * exact.stdDev);
      isNear(read.variance, read.std_dev ** 2, 1e-9);
    });
  }

  test("of any length, negative or endless, gives finite numbers in their order", () => {
    fc.assert(fc.property(
      fc.array(fc.double({ noNaN: true, noDefaultInfinity: true, max: 1e290 }), { minLength: 1 }),
      (durations) => {
        const timer = new Timer([1, 1e6, 1e9], () => 0);
        for (const ms of durations) timer.observe(ms);
        const read = timer.read();
        for (const value of Object.values(read)) assert.ok(value >= 0 && !Number.isNaN(value));
        const percentiles = PERCENTS.map((percent) => read[`${percent}-percentile`]);
        const ordered = [read.min, ...percentiles, read.max];
        assert.deepEqual(ordered, ordered.toSorted((a, b) => a - b));
        assert.ok(read.max <= 1.01 * LONGEST_NS);
      },
    ));
  });

  test("of the shortest and the longest that it tells apart, and beyond", () => {
    const longestMs = LONGEST_NS / NS_A_MS;
    for (
      const [ms, ns] of [[-1, 0], [0, 0], [1e-6, 1], [longestMs, LONGEST_NS], [1e15, LONGEST_NS]]
    ) {
      const timer = new Timer([], () => 0);
      timer.observe(ms!);
      isNear(timer.read()["50-percentile"], ns!);
    }
  });
});

describe("a timer", () => {
  test("says nothing but zeros before the first duration, and has every part of the table", () => {
    const read = new Timer([1e6], () => 0).read();
    assert.deepEqual(Object.keys(read), Object.keys(TIMER_PARTS));
    assert.deepEqual(Object.values(read).filter((value) => value !== 0), []);
  });

  test("forgets durations after 10 minutes at most and 5 at least, but not how many", () => {
    let nowMs = 0;
    const timer = new Timer([1e6], () => nowMs);
    for (const atMs of [0, 0.5 * HALF_WINDOW_MS, 0.999 * HALF_WINDOW_MS, 1.3 * HALF_WINDOW_MS]) {
      nowMs = atMs;
      timer.observe(5);
      nowMs = atMs + HALF_WINDOW_MS - 1;
      isNear(timer.read().max, 5 * NS_A_MS);
      nowMs = atMs + 2 * HALF_WINDOW_MS;
      assert.equal(timer.read().max, 0);
    }
    const { count, sum, "99-percentile": p99 } = timer.read();
    assert.deepEqual([count, sum, p99], [4, 20 * NS_A_MS, 0]);
  });

  test("reads 5 minutes' durations after any pause", () => {
    fc.assert(fc.property(
      fc.array(fc.nat({ max: 4 * HALF_WINDOW_MS }), { maxLength: 12 }),
      (pauses) => {
        let nowMs = 0;
        const timer = new Timer([], () => nowMs);
        const seen: (readonly [atMs: number, durationMs: number])[] = [];
        for (const [i, pauseMs] of pauses.entries()) {
          nowMs += pauseMs;
          timer.observe(i + 1);
          seen.push([nowMs, i + 1]);
          const { min, max } = timer.read();
          const within = (ms: number) => seen.filter(([atMs]) => nowMs - atMs < ms);
          const durations = (ms: number) => within(ms).map(([, each]) => each * NS_A_MS);
          isNear(max, (i + 1) * NS_A_MS);
          assert.ok(min <= 1.01 * Math.min(...durations(HALF_WINDOW_MS)), "remembers 5 minutes");
          assert.ok(min >= 0.99 * Math.min(...durations(2 * HALF_WINDOW_MS)), "and 10 at most");
        }
      },
    ));
  });

  test("counts its buckets over all durations, in nanoseconds", () => {
    const timer = new Timer([1e6, 2e6], () => 0);
    for (const ms of [0.5, 1, 1.5, 2, 3]) timer.observe(ms);
    assert.deepEqual([...timer.histogram.counts], [2, 2, 1]);
  });
});

describe("rates", () => {
  test("are those of a tick every 5 s, though none ticks", () => {
    fc.assert(fc.property(fc.array(fc.nat({ max: 40_000 }), { maxLength: 60 }), (pauses) => {
      let nowMs = 0;
      const rates = new EventRates(() => nowMs);
      const events: number[] = [];
      for (const pauseMs of pauses) {
        nowMs += pauseMs;
        rates.mark();
        events.push(nowMs);
      }
      nowMs += 12_345;
      const { rates: read, mean } = rates.read();
      for (const [i, minutes] of [1, 5, 15].entries()) {
        assert.ok(Math.abs(read[i]! - tickedRate(events, nowMs, minutes)) < 1e-9, `${minutes}`);
      }
      isNear(mean, events.length / (nowMs / 1_000), 1e-9);
    }));
  });

  test("of a steady stream are its rate, and fade as the load does when it ends", () => {
    let nowMs = 0;
    const rates = new EventRates(() => nowMs);
    for (let i = 0; i < 6_000; i++, nowMs += 100) rates.mark(); // 10 a second, 10 minutes
    for (const rate of rates.read().rates) isNear(rate, 10, 1e-6);
    nowMs += 60_000;
    const [one, five, fifteen] = rates.read().rates;
    isNear(one, 10 * Math.exp(-1), 1e-6);
    isNear(five, 10 * Math.exp(-1 / 5), 1e-6);
    isNear(fifteen, 10 * Math.exp(-1 / 15), 1e-6);
  });
});

/** The same average by a tick after every 5 s, one after the other. */
function tickedRate(events: readonly number[], nowMs: number, minutes: number): number {
  const share = 1 - Math.exp(-5 / (60 * minutes));
  let rate: number | undefined;
  for (let endMs = 5_000; endMs <= nowMs; endMs += 5_000) {
    const count = events.filter((atMs) => atMs >= endMs - 5_000 && atMs < endMs).length;
    rate = rate === undefined ? count / 5 : rate + share * (count / 5 - rate);
  }
  return rate ?? 0;
}

function momentsOf(values: readonly number[]) {
  const sum = values.reduce((all, value) => all + value, 0);
  const mean = sum / values.length;
  const squares = values.reduce((all, value) => all + (value - mean) ** 2, 0);
  const sorted = values.toSorted((a, b) => a - b);
  return { sum, mean, stdDev: Math.sqrt(squares / values.length), sorted };
}

function isNear(actual: number, expected: number, share = 0.01): void {
  const off = Math.abs(actual - expected);
  assert.ok(off <= share * Math.abs(expected), `${actual} is not near ${expected}`);
}
