import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Ring } from "../../src/threads/ring.ts";

const STEPS = fc.array(
  fc.record({ what: fc.constantFrom("add", "last", "delete"), id: fc.nat({ max: 6 }) }),
  { maxLength: 100 },
);

/** The values in their order. */
function valuesOf(ring: Ring<number, string>): string[] {
  const values: string[] = [];
  ring.forEach((value) => values.push(value));
  return values;
}

test("a ring has its values in the order in which they were added, or moved to the end", () => {
  fc.assert(fc.property(STEPS, (steps) => {
    const ring = new Ring<number, string>();
    const model = new Map<number, string>();
    for (const [number, { what, id }] of steps.entries()) {
      const isThere = model.has(id);
      if (what === "add" && !isThere) {
        model.set(id, `${number}`);
        ring.add(id, `${number}`);
      } else if (what === "last" && isThere) {
        const value = model.get(id)!;
        model.delete(id);
        model.set(id, value);
        ring.moveLast(id);
      } else if (what === "delete" && isThere) {
        model.delete(id);
        ring.delete(id);
      }
      assert.deepEqual(valuesOf(ring), [...model.values()]);
      assert.equal(ring.size, model.size);
      assert.equal(ring.first, valuesOf(ring)[0]);
      assert.equal(ring.last, valuesOf(ring).at(-1));
      assert.equal(ring.get(id), model.get(id));
    }
  }));
});

test("a value may be deleted while the ring is walked over", () => {
  const ring = new Ring<number, number>();
  for (const id of [0, 1, 2, 3]) ring.add(id, id);
  const seen: number[] = [];
  ring.forEach((value) => {
    seen.push(value);
    if (value % 2 === 0) ring.delete(value);
  });
  assert.deepEqual(seen, [0, 1, 2, 3]);
  assert.deepEqual([ring.first, ring.size], [1, 2]);
});
