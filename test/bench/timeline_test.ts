import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Timeline } from "../../src/bench/timeline.ts";

type Told = readonly [what: string, ...numbers: number[]];

/** A timeline from 5,000 ms on, and all that it tells. */
function begin(warmupMs: number, durationMs: number) {
  const told: Told[] = [];
  const timeline = new Timeline({
    intervalOver: (phase, index, spanMs) => void told.push([phase, index, spanMs]),
    drainBegun: (atMs) => void told.push(["drain begins", atMs]),
  });
  timeline.begin(5_000, 5_000 + warmupMs, 5_000 + warmupMs + durationMs);
  return { timeline, told };
}

describe("a timeline", () => {
  test("is cut into seconds, and at the end of each phase", () => {
    const { timeline, told } = begin(1_200, 2_300);
    for (let nowMs = 5_000; nowMs < 9_000; nowMs += 10) timeline.advance(nowMs);
    const expected: readonly Told[] = [
      ["warmup", 0, 1_000],
      ["warmup", 1, 200],
      ["measure", 0, 1_000],
      ["measure", 1, 1_000],
      ["measure", 2, 300],
      ["drain begins", 8_500],
    ];
    assert.deepEqual(told, expected);
    assert.equal(timeline.phase, "drain");
  });

  test("is the same where nobody looked at the clock meanwhile", () => {
    const [often, once] = [begin(1_200, 2_000), begin(1_200, 2_000)];
    for (let nowMs = 5_000; nowMs <= 9_000; nowMs++) often.timeline.advance(nowMs);
    once.timeline.advance(9_000);
    assert.deepEqual(once.told, often.told);
    assert.equal(once.told.length, 5, "whole seconds end in no empty interval");
  });

  test("without a warm-up is measured from its begin", () => {
    const { timeline, told } = begin(0, Infinity);
    assert.equal(timeline.phase, "measure");
    timeline.advance(6_500);
    timeline.endInterval(6_750);
    assert.deepEqual(told, [["measure", 0, 1_000], ["measure", 1, 750]]);
  });

  test("ended early counts its last interval as long as it was", () => {
    const { timeline, told } = begin(1_000, 10_000);
    timeline.advance(6_250);
    timeline.drain(6_250);
    timeline.advance(60_000);
    assert.deepEqual(told, [["warmup", 0, 1_000], ["measure", 0, 250], ["drain begins", 6_250]]);
  });
});
