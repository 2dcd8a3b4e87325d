import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { MAX_RSA_BITS } from "../../src/crypto/key_strength.ts";
import { type Scheme, SCHEMES } from "../../src/crypto/scheme.ts";
import { createSigningMemory } from "../../src/threads/signing_memory.ts";
import {
  OUTCOMES,
  roomFor,
  type ThreadReply,
  type ThreadRequest,
  TURN,
  TURN_LIMITS,
  Turns,
} from "../../src/threads/turns.ts";

const LOOPS = 2;
const THREADS = 2;

function turnsOf(): Turns {
  return new Turns(createSigningMemory(LOOPS, THREADS));
}

function request(mark: number, bytes = 32): ThreadRequest {
  const scheme = "rsa-sha256";
  return { address: 1, bits: 2_048, scheme, bytes: new Uint8Array(bytes).fill(mark) };
}

/** Takes a READY turn in a thread's place, and carries it out. */
function carryOut(
  turns: Turns,
  turn: number,
  answer: (request: ThreadRequest) => ThreadReply,
): readonly ThreadReply[] {
  assert.ok(turns.change(turn, TURN.READY, TURN.TAKEN + 1));
  turns.carryOut(turn, 1, answer);
  assert.equal(turns.state(turn), TURN.DONE);
  return turns.replies(turn);
}

/** Requests for one key that fit a turn. */
const REQUESTS: fc.Arbitrary<ThreadRequest[]> = fc.record({
  address: fc.nat({ max: 2 ** 47 }),
  bits: fc.nat({ max: 16_384 }),
  asked: fc.array(
    fc.record({
      scheme: fc.constantFrom(...Object.keys(SCHEMES) as Scheme[]),
      bytes: fc.uint8Array({ maxLength: TURN_LIMITS.bytes }),
    }),
    { minLength: 1, maxLength: TURN_LIMITS.entries },
  ),
}).map(({ address, bits, asked }) => {
  const requests = asked.map(({ scheme, bytes }) => ({ address, bits, scheme, bytes }));
  let room = 0;
  return requests.filter((each) => (room += roomFor(each)) <= TURN_LIMITS.bytes);
}).filter(({ length }) => length > 0);

const REPLIES = fc.array(
  fc.record({ outcome: fc.constantFrom(...OUTCOMES), bytes: fc.uint8Array({ maxLength: 4_000 }) }),
  { minLength: TURN_LIMITS.entries, maxLength: TURN_LIMITS.entries },
);

test("the memory of turns stays within 20 MB on 64 cores", () => {
  assert.ok(createSigningMemory(64, 64).turns.byteLength < 20_000_000);
  assert.equal(new Turns(createSigningMemory(1, 2)).each, 16);
});

describe("a turn in shared memory", () => {
  test("arrives as it was handed out, and its replies as they were given, in every place", () => {
    const turns = turnsOf();
    const last = LOOPS * turns.each - 1;
    fc.assert(fc.property(fc.nat({ max: last }), REQUESTS, REPLIES, (turn, requests, replies) => {
      turns.publish(turn, 0, requests);
      const arrived: ThreadRequest[] = [];
      const returned = carryOut(turns, turn, (each) => {
        arrived.push(each);
        return replies[arrived.length - 1]!;
      });
      assert.deepEqual(arrived, requests);
      const expected = requests.map((each, index) => {
        const { outcome, bytes } = replies[index]!;
        const room = roomFor(each);
        if (outcome !== "made" || bytes.length <= room) {
          return { outcome, bytes: bytes.slice(0, room) };
        }
        const why = `the result has ${bytes.length} bytes, where ${room} have room`;
        return { outcome: "SIGN_FAILED", bytes: new TextEncoder().encode(why) };
      });
      assert.deepEqual(returned, expected);
      assert.ok(turns.free(turn, TURN.DONE));
    }));
  });

  test("does not touch its neighbours when it is as full as may be", () => {
    const turns = turnsOf();
    turns.publish(0, 0, [request(1)]);
    turns.publish(2, 0, [request(3)]);
    const full = Array.from({ length: TURN_LIMITS.entries }, () => request(2, 256));
    turns.publish(1, 0, full);
    const long = { outcome: "SIGN_FAILED", bytes: new Uint8Array(10_000).fill(9) } as const;
    assert.equal(carryOut(turns, 1, () => long).length, TURN_LIMITS.entries);
    for (const [turn, mark] of [[0, 1], [2, 3]] as const) {
      const [reply] = carryOut(turns, turn, ({ bytes }) => ({ outcome: "made", bytes }));
      assert.deepEqual(reply?.bytes, new Uint8Array(32).fill(mark));
    }
  });

  test("fails where its key is larger than any that is loaded, and leaves its neighbour alone", () => {
    const turns = turnsOf();
    turns.publish(1, 0, [request(3)]);
    turns.publish(0, 0, [{ ...request(1), bits: 2 * MAX_RSA_BITS }]);
    const made = new Uint8Array(2 * TURN_LIMITS.bytes).fill(9);
    const [reply] = carryOut(turns, 0, () => ({ outcome: "made", bytes: made }));
    assert.equal(reply?.outcome, "SIGN_FAILED");
    const text = new TextDecoder().decode(reply?.bytes);
    assert.match(text, /the result has 4096 bytes, where 2048 have room/);
    const [next] = carryOut(turns, 1, ({ bytes }) => ({ outcome: "made", bytes }));
    assert.deepEqual(next?.bytes, new Uint8Array(32).fill(3));
  });

  describe("leaves no result in the memory", () => {
    const made = new Uint8Array(256).fill(0xee);

    /** A turn of two requests, of which so many were carried out before its thread was lost. */
    function use(carriedOut: 1 | 2): { turns: Turns; hasResult: () => boolean } {
      const memory = createSigningMemory(1, 2);
      const turns = new Turns(memory);
      turns.publish(0, 0, [request(1), request(2)]);
      turns.change(0, TURN.READY, TURN.TAKEN + 1);
      let count = 0;
      turns.carryOut(0, 1, () => {
        count += 1;
        if (count > carriedOut) turns.lose(1);
        return { outcome: "made", bytes: made };
      });
      return { turns, hasResult: () => new Uint8Array(memory.turns).includes(0xee) };
    }

    for (const [carriedOut, state] of [[2, TURN.DONE], [1, TURN.LOST]] as const) {
      const what = state === TURN.DONE ? "DONE" : "LOST";
      test(`when it is freed where it was ${what}`, () => {
        const { turns, hasResult } = use(carriedOut);
        assert.ok(hasResult());
        assert.ok(turns.free(0, state));
        assert.equal(hasResult(), false);
        assert.equal(turns.state(0), TURN.FREE);
      });

      test(`when its loop has ended, where it was ${what}`, () => {
        const { turns, hasResult } = use(carriedOut);
        assert.ok(turns.reclaim(0));
        assert.equal(hasResult(), false);
      });
    }
  });

  test("is not reclaimed from a thread that has it", () => {
    const turns = turnsOf();
    turns.publish(0, 0, [request(1)]);
    turns.change(0, TURN.READY, TURN.TAKEN);
    assert.equal(turns.reclaim(0), false);
    assert.equal(turns.state(0), TURN.TAKEN);
  });

  test("has room for the result of the largest key that is loaded", () => {
    const [bytes, made] = [new Uint8Array(2_048).fill(1), new Uint8Array(2_048).fill(2)];
    const turns = turnsOf();
    turns.publish(0, 0, [{ address: 1, bits: 16_384, scheme: "rsa-decrypt", bytes }]);
    assert.deepEqual(carryOut(turns, 0, () => ({ outcome: "made", bytes: made }))[0]?.bytes, made);
  });

  test("is taken by one thread alone", () => {
    const turns = turnsOf();
    turns.publish(3, 0, [request(1)]);
    assert.ok(turns.change(3, TURN.READY, TURN.TAKEN));
    assert.equal(turns.change(3, TURN.READY, TURN.TAKEN + 1), false);
  });

  test("comes after those with lower numbers, though numbers wrap around", () => {
    const turns = turnsOf();
    const numbers = [2 ** 31 - 2, 2 ** 31 - 1, -(2 ** 31), -(2 ** 31) + 1];
    for (const [index, turn] of [5, 2, 7, 0].entries()) {
      turns.publish(turn, numbers[index]!, [request(turn)]);
    }
    const order: (number | undefined)[] = [];
    for (let next = turns.next(0); next !== undefined; next = turns.next(0)) {
      order.push(next);
      turns.change(next, TURN.READY, TURN.FREE);
    }
    assert.deepEqual(order, [5, 2, 7, 0]);
    assert.equal(turns.next(1), undefined);
  });

  test("is lost with the thread that had taken it, and no other", () => {
    const turns = turnsOf();
    for (const [turn, place] of [[0, 0], [1, 1], [turns.each, 1]] as const) {
      turns.publish(turn, 0, [request(turn)]);
      turns.change(turn, TURN.READY, TURN.TAKEN + place);
    }
    turns.publish(2, 0, [request(2)]);
    turns.lose(1);
    assert.equal(turns.state(0), TURN.TAKEN);
    assert.equal(turns.state(1), TURN.LOST);
    assert.equal(turns.state(turns.each), TURN.LOST);
    assert.equal(turns.state(2), TURN.READY);
  });

  test("stays as it is where its thread was given up in the middle of it", () => {
    const turns = turnsOf();
    turns.publish(0, 0, [request(1), request(2)]);
    turns.change(0, TURN.READY, TURN.TAKEN + 1);
    turns.carryOut(0, 1, ({ bytes }) => {
      turns.lose(1);
      turns.change(0, TURN.LOST, TURN.FREE);
      turns.publish(0, 1, [request(7)]);
      return { outcome: "made", bytes: new Uint8Array(bytes.length) };
    });
    assert.equal(turns.state(0), TURN.READY);
    const [reply] = carryOut(turns, 0, ({ bytes }) => ({ outcome: "made", bytes }));
    assert.deepEqual(reply?.bytes, new Uint8Array(32).fill(7));
  });
});
