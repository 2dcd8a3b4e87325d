import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Deadlines } from "../../src/client/deadlines.ts";

/** Adds calls and gives their numbers in the order in which they expired, once all have. */
async function expired(timesMs: readonly number[], leaveOut: number[] = []): Promise<number[]> {
  const deadlines = new Deadlines();
  const keepAlive = setInterval(() => {}, 1_000);
  const order: number[] = [];
  await new Promise<void>((resolve) => {
    const items = timesMs.map((timeoutMs, number) => ({
      timeoutMs,
      deadlineMs: performance.now() + timeoutMs,
      expire() {
        assert.ok(performance.now() >= this.deadlineMs, "not before its time");
        order.push(number);
        if (order.length === timesMs.length - leaveOut.length) resolve();
      },
    }));
    for (const item of items) deadlines.add(item);
    for (const number of leaveOut) deadlines.delete(items[number]!);
  });
  clearInterval(keepAlive);
  return order;
}

describe("Deadlines", () => {
  test("those of one timeout expire in the order in which they were added", async () => {
    assert.deepEqual(await expired([5, 5, 5]), [0, 1, 2]);
  });

  test("a shorter one that was added later expires first", async () => {
    assert.deepEqual(await expired([80, 5, 80]), [1, 0, 2]);
  });

  test("one that was deleted never expires, and holds none of the others up", async () => {
    assert.deepEqual(await expired([5, 5, 60, 60], [0, 2]), [1, 3]);
  });

  test("of many that wait, those behind the first one that is left are not looked at", async () => {
    const deadlines = new Deadlines();
    const looks = { count: 0 };
    const startMs = performance.now();
    for (let number = 0; number < 1_000; number++) {
      const deadlineMs = startMs + 60_000 + number;
      deadlines.add({
        timeoutMs: 60_000,
        get deadlineMs() {
          looks.count++;
          return deadlineMs;
        },
        expire() {},
      });
    }
    looks.count = 0;
    const short = Promise.withResolvers<void>();
    const keepAlive = setInterval(() => {}, 1_000);
    deadlines.add({ timeoutMs: 5, deadlineMs: startMs, expire: short.resolve });
    await short.promise;
    clearInterval(keepAlive);
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(looks.count <= 2, `${looks.count} looks`);
  });
});
