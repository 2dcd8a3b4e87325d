import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Admission, type AdmissionLimits } from "../../src/threads/admission.ts";
import { SharedCounters } from "../../src/threads/shared_counters.ts";
import { createSigningMemory, SIGNING_COUNTERS } from "../../src/threads/signing_memory.ts";

/** An admission for each event loop, all over one memory. */
function admissions(limits: Partial<AdmissionLimits>, loops = 1): Admission[] {
  const { counters } = createSigningMemory(loops, 1);
  return Array.from({ length: loops }, (_, loop) =>
    new Admission(
      { requests: 100, bytes: 1_000_000, ...limits },
      new SharedCounters(SIGNING_COUNTERS, counters, loop),
    ));
}

/** How many requests a connection gets in. */
function flood(admission: Admission, connection: object, bytes = 1): number {
  let held = 0;
  while (admission.admit(connection, bytes)) held += 1;
  return held;
}

describe("what may wait for signing threads", () => {
  test("is, of one connection, half of the room, and of a newcomer always some", () => {
    const [admission] = admissions({ requests: 100 });
    assert.equal(flood(admission!, {}), 50);
    assert.deepEqual(Array.from({ length: 5 }, () => flood(admission!, {})), [25, 13, 6, 3, 2]);
    assert.equal(flood(admission!, {}), 1);
    assert.equal(flood(admission!, {}), 0);
    assert.equal(admission!.largest, 100);
  });

  test("is bounded over all event loops", () => {
    const loops = admissions({ requests: 100 }, 4);
    const held = loops.map((admission) => flood(admission, {}));
    assert.deepEqual(held, [50, 25, 13, 6]);
    assert.deepEqual(loops.map(({ largest }) => largest), [50, 75, 88, 94]);
  });

  test("is bounded in bytes too: at the limit, and a byte beyond it", () => {
    const [admission] = admissions({ bytes: 1_000 });
    assert.equal(admission!.admit({}, 1_001), false);
    assert.ok(admission!.admit({}, 1_000));
    assert.equal(admission!.admit({}, 1), false);
  });

  test("is, of a connection with large requests, half of the bytes", () => {
    const [admission] = admissions({ bytes: 1_000 });
    assert.equal(flood(admission!, {}, 100), 5);
    assert.ok(admission!.admit({}, 500));
  });

  test("is counted exactly, whatever comes and goes on several event loops", () => {
    const step = fc.record({
      loop: fc.nat({ max: 1 }),
      connection: fc.nat({ max: 3 }),
      bytes: fc.nat({ max: 100 }),
      comes: fc.boolean(),
    });
    fc.assert(fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const memory = createSigningMemory(2, 1);
      const counters = [0, 1].map((loop) =>
        new SharedCounters(SIGNING_COUNTERS, memory.counters, loop)
      );
      const limits = { requests: 50, bytes: 2_000 };
      const loops = counters.map((each) => new Admission(limits, each));
      const connections = [0, 1].map(() => [{}, {}, {}, {}]);
      const held: { loop: number; connection: object; bytes: number }[] = [];
      for (const { loop, connection: index, bytes, comes } of steps) {
        const connection = connections[loop]![index]!;
        if (comes) {
          if (loops[loop]!.admit(connection, bytes)) held.push({ loop, connection, bytes });
        } else if (held.length > 0) {
          const gone = held.splice(index % held.length, 1)[0]!;
          loops[gone.loop]!.release(gone.connection, gone.bytes);
        }
        const bytesHeld = held.reduce((sum, each) => sum + each.bytes, 0);
        assert.ok(held.length <= limits.requests && bytesHeld <= limits.bytes);
        assert.equal(counters[0]!.sum("requests"), held.length);
        assert.equal(counters[0]!.sum("bytes"), bytesHeld);
        const waiting = new Set(held.map((each) => each.connection)).size;
        assert.equal(counters[0]!.sum("connections"), waiting);
      }
    }));
  });
});
