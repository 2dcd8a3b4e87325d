import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Signals, THREAD_STATE } from "../../src/threads/signals.ts";
import { createSigningMemory } from "../../src/threads/signing_memory.ts";

const { ABSENT, IDLE, BUSY } = THREAD_STATE;

function signalsOf(loops = 2, threads = 3): Signals {
  return new Signals(createSigningMemory(loops, threads));
}

describe("an event loop that waits for its bell", () => {
  // waiting keeps no process alive
  const alive = setInterval(() => {}, 1_000);
  after(() => clearInterval(alive));

  test("is woken when it rings, and not by another loop's", async () => {
    const signals = signalsOf();
    let isWoken = false;
    const rung = signals.waitForLoopBell(signals.nextLoopBell(0))?.then(() => isWoken = true);
    signals.ringLoop(1);
    await nextTurn();
    assert.equal(isWoken, false);
    signals.ringLoop(0);
    await rung;
    assert.equal(isWoken, true);
  });

  test("does not wait where it has rung since it was read", () => {
    const signals = signalsOf();
    for (const ring of [() => signals.ringLoop(0), () => signals.ringLoops()]) {
      const bell = signals.nextLoopBell(0);
      ring();
      assert.equal(signals.waitForLoopBell(bell), undefined);
    }
  });

  test("never waits for the one that was rung last, however often it has waited", async () => {
    const signals = signalsOf();
    let last = -1;
    for (let wait = 0; wait < 200; wait++) {
      const bell = signals.nextLoopBell(1);
      assert.notEqual(bell.at, last);
      last = bell.at;
      const rung = signals.waitForLoopBell(bell);
      signals.ringLoop(1);
      await rung;
    }
  });
});

describe("signing threads", () => {
  test("are called when they are idle, each once, and nobody else", () => {
    const signals = signalsOf();
    for (const [place, state] of [IDLE, BUSY, IDLE].entries()) signals.setThread(place, state);
    const bells = [0, 1, 2].map((place) => signals.threadBell(place));
    assert.deepEqual([1, 2, 3].map(() => signals.callThread()), [true, true, false]);
    const hasRung = bells.map(({ read }, place) => signals.threadBell(place).read !== read);
    assert.deepEqual(hasRung, [true, false, true]);
    assert.equal(signals.busy, 3);
  });

  test("that have told what they do by the time they are known to run are believed", () => {
    const signals = signalsOf();
    signals.setThread(0, IDLE);
    for (const place of [0, 1]) signals.threadStarted(place);
    assert.deepEqual([signals.running, signals.busy], [2, 1]);
    assert.ok(signals.callThread());
  });

  test("are counted by what they do", () => {
    const signals = signalsOf();
    assert.deepEqual([signals.running, signals.busy], [0, 0]);
    for (const [place, state] of [IDLE, BUSY, ABSENT].entries()) signals.setThread(place, state);
    assert.deepEqual([signals.running, signals.busy], [2, 1]);
  });

  test("do not wait when they are told to stop meanwhile", () => {
    const signals = signalsOf();
    const bell = signals.threadBell(2);
    assert.equal(signals.isStopping, false);
    signals.stopThreads();
    signals.waitForThreadBell(bell); // would block the test
    assert.equal(signals.isStopping, true);
  });
});
