import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FinishedTurns } from "../../src/threads/finished_turns.ts";

function makeFinishedTurns(): { finished: FinishedTurns; rung: number[] } {
  const rung: number[] = [];
  return { finished: new FinishedTurns({ ringLoop: (loop) => rung.push(loop) }), rung };
}

describe("event loops are told of finished turns", () => {
  test("two short ones at once, as long as the thread has more to do", () => {
    const { finished, rung } = makeFinishedTurns();
    finished.add(0, 1);
    assert.deepEqual(rung, []);
    finished.add(0, 1);
    assert.deepEqual(rung, [0]);
    finished.add(0, 1);
    assert.deepEqual(rung, [0]);
  });

  test("each loop, where the turns were of several", () => {
    const { finished, rung } = makeFinishedTurns();
    finished.add(1, 1);
    finished.add(0, 1);
    assert.deepEqual(rung, [1, 0]);
  });

  test("at once of one that took long", () => {
    const { finished, rung } = makeFinishedTurns();
    finished.add(0, 4);
    assert.deepEqual(rung, [0]);
  });

  test("when the thread has nothing else to do, and once", () => {
    const { finished, rung } = makeFinishedTurns();
    finished.add(0, 0.2);
    finished.ring();
    finished.ring();
    assert.deepEqual(rung, [0]);
  });
});
