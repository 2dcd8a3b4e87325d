import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { OpenLoop } from "../../src/bench/messages.ts";
import { Pacer } from "../../src/bench/pacer.ts";

interface Sent {
  readonly dueMs: number;
  readonly nowMs: number;
}

/** All that a pacer sends until its end. */
async function pace(
  loop: Partial<OpenLoop>,
  durationMs: number,
  onSend: (count: number) => void = () => {},
): Promise<{ readonly sent: readonly Sent[]; readonly startMs: number }> {
  const sent: Sent[] = [];
  const { promise: isOver, resolve } = Promise.withResolvers<void>();
  const pacer = new Pacer({ ratePerSecond: 300, rampMs: 0, first: 0, of: 1, ...loop }, {
    send: (dueMs, nowMs) => {
      sent.push({ dueMs, nowMs });
      onSend(sent.length);
    },
    flush: () => queueMicrotask(() => pacer.isOver && resolve()),
  });
  await pacer.prepare();
  const startMs = performance.now();
  pacer.start(startMs, startMs + durationMs);
  await isOver;
  pacer.stop();
  return { sent, startMs };
}

describe("a pacer", () => {
  for (const ratePerSecond of [20, 2_000]) {
    test(`tells of each request at ${ratePerSecond}/s when it is due, never before`, async () => {
      const { sent, startMs } = await pace({ ratePerSecond }, 300);
      assert.equal(sent.length, ratePerSecond * 0.3);
      for (const [index, { dueMs, nowMs }] of sent.entries()) {
        assert.ok(Math.abs(dueMs - startMs - index * 1_000 / ratePerSecond) < 0.001);
        assert.ok(nowMs >= dueMs);
      }
    });
  }

  test("sends at once what was missed while the thread was busy, with its own time", async () => {
    const BUSY_MS = 60;
    const { sent } = await pace({ ratePerSecond: 1_000 }, 200, (count) => {
      if (count !== 50) return;
      const untilMs = performance.now() + BUSY_MS;
      while (performance.now() < untilMs);
    });
    assert.equal(sent.length, 200);
    const worst = Math.max(...sent.map(({ dueMs, nowMs }) => nowMs - dueMs));
    assert.ok(worst >= BUSY_MS - 2, `the first one missed was sent ${worst} ms late`);
  });

  test("is over at once where nothing is due before the end", async () => {
    const { sent } = await pace({ ratePerSecond: 1 }, 0.0001);
    assert.equal(sent.length, 1);
  });

  test("sends each nth request of a schedule that threads share", async () => {
    const runs = await Promise.all([0, 1, 2].map((first) => pace({ first, of: 3 }, 100)));
    const numbers = runs.flatMap(({ sent, startMs }) =>
      sent.map(({ dueMs }) => Math.round((dueMs - startMs) * 300 / 1_000))
    );
    const all = Array.from({ length: 30 }, (_, index) => index);
    assert.deepEqual(numbers.sort((a, b) => a - b), all);
  });
});
