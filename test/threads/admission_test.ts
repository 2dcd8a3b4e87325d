import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Admission, type Amounts } from "../../src/threads/admission.ts";
import { SharedCounters } from "../../src/threads/shared_counters.ts";
import { createSigningMemory, SIGNING_COUNTERS } from "../../src/threads/signing_memory.ts";

const WIDE: Amounts = { requests: 1e9, bytes: 1e9, work: 1e9 };
const ONE: Amounts = { requests: 1, bytes: 1, work: 1 };

/** An admission for each event loop, all over one memory. */
function admissions(loops = 1): Admission[] {
  const { counters } = createSigningMemory(loops, 1);
  return Array.from(
    { length: loops },
    (_, loop) => new Admission(new SharedCounters(SIGNING_COUNTERS, counters, loop)),
  );
}

/** How many requests a connection gets in. */
function flood(admission: Admission, bounds: Partial<Amounts>, asked: Partial<Amounts> = {}) {
  const connection = {};
  let held = 0;
  while (!admission.admit(connection, { ...ONE, ...asked }, { ...WIDE, ...bounds })) held += 1;
  return held;
}

describe("what may wait for signing threads", () => {
  for (const name of ["requests", "bytes", "work"] as const) {
    test(`is, of one connection, half of the ${name}, and of a newcomer always some`, () => {
      const [admission] = admissions();
      const bounds = { [name]: 100 };
      assert.equal(flood(admission!, bounds), 50);
      const next = Array.from({ length: 5 }, () => flood(admission!, bounds));
      assert.deepEqual(next, [25, 13, 6, 3, 2]);
      assert.deepEqual([flood(admission!, bounds), flood(admission!, bounds)], [1, 0]);
      assert.equal(admission!.largest, 100);
      assert.equal(admission!.admit({}, ONE, { ...WIDE, ...bounds }), name);
    });
  }

  test("is bounded over all event loops", () => {
    const loops = admissions(4);
    const held = loops.map((admission) => flood(admission, { requests: 100 }));
    assert.deepEqual(held, [50, 25, 13, 6]);
    assert.deepEqual(loops.map(({ largest }) => largest), [50, 75, 88, 94]);
  });

  test("is one request where the first takes more than there is room for", () => {
    const [admission] = admissions();
    assert.equal(flood(admission!, { work: 100 }, { work: 5_000 }), 1);
    assert.equal(flood(admission!, { work: 100 }), 0);
  });

  test("is counted exactly, whatever comes and goes on several event loops", () => {
    const step = fc.record({
      loop: fc.nat({ max: 1 }),
      connection: fc.nat({ max: 3 }),
      bytes: fc.nat({ max: 100 }),
      work: fc.nat({ max: 100 }),
      comes: fc.boolean(),
    });
    fc.assert(fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const memory = createSigningMemory(2, 1);
      const counters = [0, 1].map((loop) =>
        new SharedCounters(SIGNING_COUNTERS, memory.counters, loop)
      );
      const bounds = { requests: 50, bytes: 2_000, work: 3_000 };
      const loops = counters.map((each) => new Admission(each));
      const connections = [0, 1].map(() => [{}, {}, {}, {}]);
      const held: { loop: number; connection: object; asked: Amounts }[] = [];
      for (const { loop, connection: index, bytes, work, comes } of steps) {
        const connection = connections[loop]![index]!;
        if (comes) {
          const asked = { requests: 1, bytes, work };
          const tooMuch = loops[loop]!.admit(connection, asked, bounds);
          if (tooMuch === undefined) held.push({ loop, connection, asked });
        } else if (held.length > 0) {
          const gone = held.splice(index % held.length, 1)[0]!;
          loops[gone.loop]!.release(gone.connection, gone.asked);
        }
        for (const name of ["requests", "bytes", "work"] as const) {
          const sum = held.reduce((sum, { asked }) => sum + asked[name], 0);
          assert.equal(counters[0]!.sum(name), sum);
          assert.ok(sum < bounds[name] + 100, `${sum} ${name}`);
        }
        const waiting = new Set(held.map((each) => each.connection)).size;
        assert.equal(counters[0]!.sum("connections"), waiting);
      }
    }));
  });
});
