import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { SharedWork } from "../../src/status/shared_work.ts";

describe("SharedWork", () => {
  test("runs once for all who ask before it begins", async () => {
    let runs = 0;
    const work = new SharedWork(() => Promise.resolve(++runs));
    assert.deepEqual(await Promise.all([work.result(), work.result(), work.result()]), [1, 1, 1]);
  });

  test("runs again for those who come while it runs: their result is no older than they", async () => {
    let runs = 0;
    const { promise, resolve } = Promise.withResolvers<void>();
    const work = new SharedWork(async () => {
      const run = ++runs;
      if (run === 1) await promise;
      return run;
    });
    const first = work.result();
    await nextTurn();
    const others = [work.result(), work.result()];
    await nextTurn();
    assert.equal(runs, 1, "never two at a time");
    resolve();
    assert.equal(await first, 1);
    assert.deepEqual(await Promise.all(others), [2, 2]);
  });

  test("rests as long as a run took", async () => {
    const starts: number[] = [];
    const ends: number[] = [];
    const work = new SharedWork(async () => {
      starts.push(performance.now());
      await sleep(50);
      ends.push(performance.now());
    });
    await work.result();
    await work.result();
    const tookMs = ends[0]! - starts[0]!;
    assert.ok(starts[1]! - ends[0]! >= tookMs - 5, `${starts[1]! - ends[0]!} ms after ${tookMs}`);
  });

  test("hands a failure to those who asked, and goes on", async () => {
    let runs = 0;
    const work = new SharedWork(() =>
      ++runs === 1 ? Promise.reject(new Error("no")) : Promise.resolve(runs)
    );
    await assert.rejects(work.result(), /no/);
    assert.equal(await work.result(), 2);
  });
});
