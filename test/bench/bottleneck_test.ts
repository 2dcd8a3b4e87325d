import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { clientLimit, type ClientWork } from "../../src/bench/bottleneck.ts";

function limitOf(
  cpuShare: number | null,
  waitShare: number | null,
  more: Partial<ClientWork> = {},
) {
  const idle = { cpuShare: 0.2, waitShare: 0 };
  const threads = [idle, { cpuShare, waitShare }];
  return clientLimit({ elapsedMs: 5_000, threads, pacing: undefined, ...more });
}

describe("the client is the bottleneck", () => {
  test("where one of its threads takes all of a core", () => {
    const { isBottleneck, reason, threads } = limitOf(0.97, 0.01);
    assert.equal(isBottleneck, true);
    assert.match(reason!, /^a client thread used 97 % of a core: with more --threads/);
    assert.equal(threads.length, 2);
  });

  test("where a thread is never idle, though others take its core", () => {
    assert.match(limitOf(0.6, 0.35).reason!, /60 % on a core and 35 % waiting for one/);
  });

  test("in an open loop, where requests leave late", () => {
    const pacing = { sent: 1_000, late: 10 };
    assert.match(limitOf(0.1, 0, { pacing }).reason!, /^1 % of the requests were sent late/);
  });
});

describe("the client is no bottleneck", () => {
  const fine: readonly [what: string, limit: ReturnType<typeof limitOf>][] = [
    ["where it waits for answers", limitOf(0.89, 0)],
    ["where the system does not tell", limitOf(null, null)],
    ["in a run that is too short to tell", limitOf(1, 0, { elapsedMs: 499 })],
    ["in an open loop that is on time", limitOf(1, 0, { pacing: { sent: 1_000, late: 9 } })],
    ["in an open loop that sent nothing", limitOf(1, 0, { pacing: { sent: 0, late: 0 } })],
  ];
  for (const [what, { isBottleneck, reason }] of fine) {
    test(
      what,
      () => assert.deepEqual({ isBottleneck, reason }, { isBottleneck: false, reason: null }),
    );
  }
});
