import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { FairQueue, type Waiting } from "../../src/threads/fair_queue.ts";

interface Asked extends Waiting {
  readonly connection: { readonly id: number };
  readonly key: number;
  readonly number: number;
}

const CONNECTIONS = Array.from({ length: 16 }, (_, id) => ({ id }));

/** An entry whose turn ends with it. */
function asked(connection: number, key: number, number = 0, costMs = 1): Asked {
  return { connection: CONNECTIONS[connection]!, key, number, costMs };
}

/** Turns until the entry is served, its own included. */
function turnsUntil(queue: FairQueue<Asked>, wanted: Asked): number {
  for (let turns = 1; queue.length > 0; turns++) {
    if (queue.take().includes(wanted)) return turns;
  }
  return Infinity;
}

const PUSHES = fc.array(
  fc.record({
    connection: fc.nat({ max: 5 }),
    key: fc.nat({ max: 3 }),
    costMs: fc.constantFrom(0.2, 0.3, 1, 4),
  }),
  { maxLength: 200 },
);

describe("the fair queue", () => {
  test("gives every entry once, and those of a connection for a key in their order", () => {
    fc.assert(fc.property(PUSHES, fc.array(fc.boolean()), (pushes, takes) => {
      const queue = new FairQueue<Asked>(100_000);
      const entries = pushes.map(({ connection, key, costMs }, number) =>
        asked(connection, key, number, costMs)
      );
      const served: Asked[] = [];
      for (const [index, entry] of entries.entries()) {
        assert.ok(queue.push(entry));
        if (takes[index]) served.push(...queue.take());
        assert.equal(queue.length, index + 1 - served.length);
      }
      for (let turn = queue.take(); turn.length > 0; turn = queue.take()) served.push(...turn);
      assert.equal(queue.length, 0);
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
    const queue = new FairQueue<Asked>(10_000);
    for (let number = 0; number < 1_000; number++) queue.push(asked(0, number % 7, number));
    const one = asked(1, 0);
    queue.push(one);
    assert.ok(turnsUntil(queue, one) <= 4);
  });

  test("answers the one request for a key next to a thousand for another, on every connection", () => {
    const queue = new FairQueue<Asked>(100_000);
    for (let number = 0; number < 16_000; number++) queue.push(asked(number % 16, 0, number));
    const one = asked(15, 1);
    queue.push(one);
    assert.ok(turnsUntil(queue, one) <= 4);
  });

  test("lets nobody wait for more than two turns of each connection, or of each key", () => {
    fc.assert(fc.property(PUSHES, fc.nat({ max: 50 }), (pushes, taken) => {
      const queue = new FairQueue<Asked>(100_000);
      for (const [number, { connection, key, costMs }] of pushes.entries()) {
        queue.push(asked(connection, key, number, costMs));
      }
      for (let turn = 0; turn < taken; turn++) queue.take();
      const left = queue.entries();
      const connections = new Set(left.map(({ connection }) => connection)).size;
      const keys = new Set(left.map(({ key }) => key)).size;
      const one = asked(15, 100);
      queue.push(one);
      assert.ok(turnsUntil(queue, one) <= 2 * (Math.min(connections, keys) + 1));
    }));
  });

  test("gives small entries of a line together, until they make a millisecond", () => {
    const queue = new FairQueue<Asked>(100);
    for (let number = 0; number < 10; number++) queue.push(asked(0, 0, number, 0.25));
    assert.deepEqual(queue.take().map(({ number }) => number), [0, 1, 2, 3]);
    queue.push(asked(1, 0, 99, 4));
    assert.deepEqual([queue.take(), queue.take()].map(({ length }) => length).toSorted(), [1, 4]);
  });

  test("leaves one connection half of its room, and a newcomer always some", () => {
    const queue = new FairQueue<Asked>(100);
    let held = 0;
    while (queue.push(asked(0, held % 3, held))) held++;
    assert.equal(held, 50);
    for (let connection = 1; connection < 6; connection++) {
      assert.ok(queue.push(asked(connection, 0)), `connection ${connection}`);
    }
    assert.equal(queue.push(asked(0, 0)), false);
    assert.equal(queue.length, 55);
  });

  test("takes no more than it has room for", () => {
    const queue = new FairQueue<Asked>(2);
    assert.deepEqual([0, 1, 2].map((connection) => queue.push(asked(connection, 0))), [
      true,
      true,
      false,
    ]);
    queue.take();
    assert.ok(queue.push(asked(2, 0)));
  });

  test("gives what was put back before the rest of its line", () => {
    const queue = new FairQueue<Asked>(2);
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
      const queue = new FairQueue<Asked>(100_000);
      for (const [number, { connection, key }] of pushes.entries()) {
        queue.push(asked(connection, key, number));
      }
      const swept = queue.sweep(({ number }) => number % 3 !== 0);
      assert.ok(swept.every(({ number }) => number % 3 === 0));
      assert.equal(swept.length + queue.length, pushes.length);
      const left: Asked[] = [];
      for (let turn = queue.take(); turn.length > 0; turn = queue.take()) left.push(...turn);
      assert.ok(left.every(({ number }) => number % 3 !== 0));
      assert.equal(swept.length + left.length, pushes.length);
    }));
  });
});
