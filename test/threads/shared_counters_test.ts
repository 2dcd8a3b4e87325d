import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Worker } from "node:worker_threads";
import fc from "fast-check";
import { sharedCounterMemory, SharedCounters } from "../../src/threads/shared_counters.ts";

const NAMES = ["open", "bytes"] as const;

/** As many rows of the same counters. */
function makeRows(count: number): SharedCounters<(typeof NAMES)[number]>[] {
  const memory = sharedCounterMemory(NAMES.length, count);
  return Array.from({ length: count }, (_, row) => new SharedCounters(NAMES, memory, row));
}

describe("shared counters", () => {
  test("sum what each row has counted, and tell a row its own", () => {
    const [first, second] = makeRows(2);
    first!.add("open", 3);
    first!.add("open", -1);
    second!.add("open", 5);
    second!.set("bytes", 7);
    assert.deepEqual([first!.own("open"), second!.own("open")], [2, 5]);
    for (const row of [first!, second!]) {
      assert.deepEqual([row.sum("open"), row.sum("bytes")], [7, 7]);
    }
  });

  test("forget a row that is cleared, and no other", () => {
    const rows = makeRows(3);
    for (const row of rows) for (const name of NAMES) row.add(name, 1);
    rows[1]!.clear();
    assert.deepEqual([rows[0]!.sum("open"), rows[0]!.sum("bytes")], [2, 2]);
    assert.equal(rows[1]!.own("bytes"), 0);
    rows[1]!.add("open", 4);
    assert.equal(rows[2]!.sum("open"), 6);
  });

  test("hold for any order of additions what a sum in one place would", () => {
    const addition = fc.record({
      row: fc.nat({ max: 3 }),
      name: fc.constantFrom(...NAMES),
      change: fc.integer({ min: -1_000, max: 1_000 }),
    });
    fc.assert(fc.property(fc.array(addition), (additions) => {
      const rows = makeRows(4);
      for (const { row, name, change } of additions) rows[row]!.add(name, change);
      for (const name of NAMES) {
        const expected = additions.filter((each) => each.name === name)
          .reduce((sum, { change }) => sum + change, 0);
        assert.equal(rows[0]!.sum(name), expected);
      }
    }));
  });

  test("lose nothing where threads count at the same time, and count out one that has died", async () => {
    const memory = sharedCounterMemory(NAMES.length, 3);
    const own = new SharedCounters(NAMES, memory, 0);
    const url = new URL("./shared_counters_worker.ts", import.meta.url);
    const workers = [1, 2].map((row) => new Worker(url, { workerData: { memory, row } }));
    await Promise.all(workers.map((worker) => new Promise((done) => worker.once("message", done))));
    assert.equal(own.sum("open"), 200_000);
    await workers[0]!.terminate();
    new SharedCounters(NAMES, memory, 1).clear();
    assert.equal(own.sum("open"), 100_000);
    await workers[1]!.terminate();
  });
});
