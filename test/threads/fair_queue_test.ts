import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { FairQueue, type TurnLimits, type Waiting } from "../../src/threads/fair_queue.ts";

interface Asked extends Waiting {
  readonly connection: { readonly id: number };
  readonly key: number;
  readonly number: number;
}

const CONNECTIONS = Array.from({ length: 16 }, (_, id) => ({ id }));

/** An entry whose turn ends with it. */
function asked(connection: number, key: number, number = 0, costMs = 1): Asked {
  return { connection: CONNECTIONS[connection]!, key, number, costMs, roomBytes: 1 };
}

function queueOf(limits: Partial<TurnLimits> = {}): FairQueue<Asked> {
  return new FairQueue({ entries: 100, bytes: 1_000, ...limits });
}

/** Everything that waits, in the order of its turns. */
function drain(queue: FairQueue<Asked>): Asked[] {
  const served: Asked[] = [];
  for (let turn = queue.take(); turn.length > 0; turn = queue.take()) served.push(...turn);
  assert.equal(queue.length, 0);
  return served;
}

/** The work that is done until the entry is served, its own included. */
function workUntil(queue: FairQueue<Asked>, wanted: Asked): number {
  let workMs = 0;
  while (queue.length > 0) {
    const turn = queue.take();
    for (const { costMs } of turn) workMs += costMs;
    if (turn.includes(wanted)) return workMs;
  }
  return Infinity;
}

/** Turns until the entry is served, its own included. */
function turnsUntil(queue: FairQueue<Asked>, wanted: Asked): number {
  for (let turns = 1; queue.length > 0; turns++) {
    if (queue.take().includes(wanted)) return turns;
  }
  return Infinity;
}

const LONGEST_MS = 4;
/** A connection or key has less than this before the next: a millisecond, and what was begun in it. */
const SHARE_MS = 1 + LONGEST_MS;

const PUSHES = fc.array(
  fc.record({
    connection: fc.nat({ max: 5 }),
    key: fc.nat({ max: 3 }),
    costMs: fc.constantFrom(0.2, 0.3, 1, LONGEST_MS),
  }),
  { maxLength: 200 },
);

describe("the fair queue", () => {
  test("gives every entry once, and those of a connection for a key in their order", () => {
    fc.assert(fc.property(PUSHES, fc.array(fc.boolean()), (pushes, takes) => {
      const queue = queueOf();
      const entries = pushes.map(({ connection, key, costMs }, number) =>
        asked(connection, key, number, costMs)
      );
      const served: Asked[] = [];
      for (const [index, entry] of entries.entries()) {
        queue.push(entry);
        if (takes[index]) served.push(...queue.take());
        assert.equal(queue.length, index + 1 - served.length);
      }
      served.push(...drain(queue));
      assert.equal(new Set(served).size, entries.length);
      for (const { connection, key } of entries) {
        const line = served.filter((other) => other.connection === connection && other.key === key);
        assert.deepEqual(
          line.map(({ number }) => number).toSorted((a, b) => a - b),
          line.map(({ number }) => number),
        );
      }
    }));
  });

  test("answers a connection with one request next to one with a thousand", () => {
    const queue = queueOf();
    for (let number = 0; number < 1_000; number++) queue.push(asked(0, number % 7, number));
    const one = asked(1, 0);
    queue.push(one);
    assert.ok(turnsUntil(queue, one) <= 4);
  });

  test("answers the one request for a key next to a thousand for another, on every connection", () => {
    const queue = queueOf();
    for (let number = 0; number < 16_000; number++) queue.push(asked(number % 16, 0, number));
    const one = asked(15, 1);
    queue.push(one);
    assert.ok(turnsUntil(queue, one) <= 4);
  });

  test("lets nobody wait for more than two shares of each connection, or of each key", () => {
    fc.assert(fc.property(PUSHES, fc.nat({ max: 50 }), (pushes, taken) => {
      const queue = queueOf();
      for (const [number, { connection, key, costMs }] of pushes.entries()) {
        queue.push(asked(connection, key, number, costMs));
      }
      for (let turn = 0; turn < taken; turn++) queue.take();
      const left: Asked[] = [];
      queue.eachFirst((entry) => left.push(entry));
      const connections = new Set(left.map(({ connection }) => connection)).size;
      const keys = new Set(left.map(({ key }) => key)).size;
      const one = asked(15, 100);
      queue.push(one);
      const shares = 2 * (Math.min(connections, keys) + 1);
      assert.ok(workUntil(queue, one) <= shares * SHARE_MS);
    }));
  });

  test("gives small entries of a line together, until they make a millisecond", () => {
    const queue = queueOf();
    for (let number = 0; number < 10; number++) queue.push(asked(0, 0, number, 0.25));
    assert.deepEqual(queue.take().map(({ number }) => number), [0, 1, 2, 3]);
    queue.push(asked(1, 0, 99, 4));
    assert.deepEqual([queue.take(), queue.take()].map(({ length }) => length).toSorted(), [1, 4]);
  });

  test("gives no more in a turn than fits it, and an entry that is larger than a turn alone", () => {
    const room = (number: number, roomBytes: number): Asked => {
      return { ...asked(0, 0, number, 0.01), roomBytes };
    };
    const queue = queueOf({ entries: 4, bytes: 1_000 });
    for (let number = 0; number < 5; number++) queue.push(room(number, 10));
    for (const [index, bytes] of [500, 500, 1, 1_001, 999, 1].entries()) {
      queue.push(room(5 + index, bytes));
    }
    const turns = Array.from({ length: 5 }, () => queue.take().map(({ number }) => number));
    assert.deepEqual(turns, [[0, 1, 2, 3], [4, 5], [6, 7], [8], [9, 10]]);
  });

  test("gives a connection that asks for many keys no more than others", () => {
    const queue = queueOf();
    for (let number = 0; number < 300; number++) {
      queue.push(asked(0, number)); // a key each time
      queue.push(asked(1, 0, number));
    }
    const served = Array.from({ length: 100 }, () => queue.take()[0]!);
    const modest = served.filter(({ connection }) => connection.id === 1).length;
    assert.ok(modest >= 25, `${modest} of 100 turns`); // half of those that go by connection
  });

  test("gives one that asks for a little of each of four keys as much as one that floods a key", () => {
    const queue = queueOf();
    for (let number = 0; number < 1_000; number++) queue.push(asked(0, 0, number, 0.25));
    for (const key of [1, 2, 3, 4]) queue.push(asked(1, key, 0, 0.25));
    const served = [0, 0];
    for (let turn = 0; turn < 200; turn++) {
      for (const entry of queue.take()) {
        served[entry.connection.id]! += 1;
        if (entry.connection.id === 1) queue.push(entry); // asked for again
      }
    }
    assert.ok(served[1]! > served[0]! * 0.8, served.join(" to "));
  });

  test("gives what was put back before the rest of its line", () => {
    const queue = queueOf();
    const [first] = [0, 1].map((number) => asked(0, 0, number));
    queue.push(first!);
    queue.push(asked(1, 0, 1));
    queue.take();
    queue.putBack(first!);
    assert.equal(queue.length, 2);
    const served = [...queue.take(), ...queue.take()];
    assert.ok(served.includes(first!));
    assert.equal(queue.length, 0);
  });

  test("forgets what is swept, and nothing else", () => {
    fc.assert(fc.property(PUSHES, (pushes) => {
      const queue = queueOf();
      for (const [number, { connection, key }] of pushes.entries()) {
        queue.push(asked(connection, key, number));
      }
      const swept = queue.sweep(({ number }) => number % 3 !== 0);
      assert.ok(swept.every(({ number }) => number % 3 === 0));
      assert.equal(swept.length + queue.length, pushes.length);
      const left = drain(queue);
      assert.ok(left.every(({ number }) => number % 3 !== 0));
      assert.equal(swept.length + left.length, pushes.length);
    }));
  });

  test("takes as long for a turn with 20,000 connections, or keys, as with a few", () => {
    const turnsMs = (connections: number, keys: number): number => {
      const queue = queueOf();
      const all = Array.from({ length: connections }, (_, id) => ({ id }));
      for (const connection of all) {
        for (let key = 0; key < keys; key++) queue.push({ ...asked(0, key), connection });
      }
      const startedMs = performance.now();
      for (let turn = 0; turn < 5_000; turn++) for (const entry of queue.take()) queue.push(entry);
      return performance.now() - startedMs;
    };
    const few = Math.max(1, ...[1, 2, 3].map(() => turnsMs(8, 1)));
    const many = [1, 2, 3].map(() => [turnsMs(20_000, 1), turnsMs(1, 20_000)]);
    for (const index of [0, 1]) {
      const least = Math.min(...many.map((times) => times[index]!));
      assert.ok(least < few * 15, `${least} ms, with few ${few} ms`);
    }
  });
});
