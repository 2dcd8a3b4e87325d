import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { PrivateKey } from "../../src/crypto/engine.ts";
import { KeylessError } from "../../src/errors/errors.ts";
import { SharedCounters } from "../../src/threads/shared_counters.ts";
import {
  createSigningMemory,
  SIGNING_COUNTERS,
  type SigningMemory,
} from "../../src/threads/signing_memory.ts";
import { type SigningBounds, SigningQueue } from "../../src/threads/signing_queue.ts";
import { type ThreadRequest, Turns } from "../../src/threads/turns.ts";
import { FakeSigningThread, turnStates } from "../support/fake_signing_thread.ts";
import { contextOf } from "../support/request_context.ts";

const KEY = { info: { type: "rsa", bits: 2_048 }, handle: 7 } as unknown as PrivateKey;
const ED25519 = { info: { type: "ed25519", bits: 256 }, handle: 8 } as unknown as PrivateKey;
const RARE = { ...KEY, handle: 10 } as unknown as PrivateKey;
/** Larger than any that is loaded. */
const HUGE = { info: { type: "rsa", bits: 16_392 }, handle: 9 } as unknown as PrivateKey;

/** An event loop's queue, and threads that the test plays itself. */
class Fixture {
  readonly memory: SigningMemory;
  readonly queue: SigningQueue;

  constructor(bounds: Partial<SigningBounds> = {}, threads = 2) {
    this.memory = createSigningMemory(1, threads);
    this.queue = new SigningQueue(this.memory, 0, { requests: 1_000, bytes: 1e6, ...bounds });
    open.push(this.queue);
  }

  startThread(place = 0): FakeSigningThread {
    return new FakeSigningThread(this.memory, place);
  }

  ask(mark: number, context = contextOf(), costMs = 5, key = KEY): Promise<Uint8Array> {
    return this.queue.sign(key, "rsa-sha256", new Uint8Array(32).fill(mark), costMs, context);
  }

  /** What is left in the counters that all event loops share. */
  counted(): Record<string, number> {
    const counters = new SharedCounters(SIGNING_COUNTERS, this.memory.counters, 0);
    return Object.fromEntries(SIGNING_COUNTERS.map((name) => [name, counters.sum(name)]));
  }
}

const open: SigningQueue[] = [];
afterEach(() => {
  for (const queue of open.splice(0)) queue.close();
});

/** Resolves when the queue has taken in what was answered, and handed out more. */
async function collected(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await nextTurn();
}

/** The code of the error that a promise is rejected with. */
async function codeOf(promise: Promise<unknown>): Promise<string> {
  const thrown = await promise.then(() => undefined, (error: unknown) => error);
  assert.ok(thrown instanceof KeylessError, `not refused: ${thrown}`);
  return thrown.code;
}

const NOTHING = { connections: 0, requests: 0, bytes: 0, work: 0, turns: 0 };

describe("the queue before the signing threads", () => {
  test("hands out together what became ready together, and no more than keeps a thread busy", async () => {
    const fixture = new Fixture();
    const thread = fixture.startThread();
    const context = contextOf();
    const answers = Array.from({ length: 12 }, (_, mark) => fixture.ask(mark, context, 0.25));
    await thread.takeNext();
    assert.ok(thread.take());
    assert.equal(thread.take(), false);
    assert.equal(fixture.queue.load().waiting, 4);
    assert.equal(fixture.queue.load().atThreads, 8);
    assert.deepEqual(thread.answer(), [0, 1, 2, 3]);
    assert.equal((await answers[3]!)[0], 3);
    await thread.takeNext();
    assert.deepEqual([thread.answer(), thread.answer()], [[4, 5, 6, 7], [8, 9, 10, 11]]);
    assert.deepEqual((await Promise.all(answers)).map(([mark]) => mark), [...answers.keys()]);
    assert.deepEqual(fixture.counted(), NOTHING);
  });

  test("lets a key that threads have nothing of overtake what they have of another", async () => {
    const fixture = new Fixture();
    const thread = fixture.startThread();
    const flood = Array.from({ length: 40 }, (_, mark) => fixture.ask(mark, contextOf(), 1));
    for (const each of flood) each.catch(() => {}); // the end of the test cuts them
    await thread.takeNext();
    const rare = fixture.ask(99, contextOf(), 1, RARE);
    const served: number[] = [];
    while (!served.includes(99)) {
      served.push(...thread.answer());
      await collected();
      await thread.takeNext();
    }
    assert.equal((await rare)[0], 99);
    assert.ok(served.length <= 3, `it was number ${served.length}`);
  });

  test("lets nobody be overtaken for ever", async () => {
    const fixture = new Fixture();
    const thread = fixture.startThread();
    const [first, second] = [1, 2].map((mark) => fixture.ask(mark, contextOf(), 1));
    await collected();
    const served: number[] = [];
    for (let turn = 0; !served.includes(2) && turn < 100; turn++) {
      for (const handle of [100 + 2 * turn, 101 + 2 * turn]) {
        const another = { ...KEY, handle } as unknown as PrivateKey;
        fixture.ask(99, contextOf(), 1, another).catch(() => {});
      }
      await collected();
      await thread.takeNext();
      served.push(...thread.answer());
    }
    assert.ok(served.length > 4, `it was number ${served.length}: nobody overtook it`);
    assert.ok(served.length <= 2 + 16, `it was number ${served.length}`);
    await Promise.all([first, second]);
  });

  test("has two slow requests for each thread outside, and one very slow one", async () => {
    for (const [costMs, outside] of [[5, 4], [200, 2]] as const) {
      const fixture = new Fixture();
      const threads = [0, 1].map((place) => fixture.startThread(place));
      const answers = Array.from(
        { length: 10 },
        (_, mark) => fixture.ask(mark, contextOf(), costMs),
      );
      for (const thread of threads) await thread.takeNext();
      const { waiting, atThreads, threads: running, oldestMs } = fixture.queue.load();
      assert.deepEqual([waiting, atThreads, running], [10 - outside, outside, 2]);
      assert.ok(oldestMs > 0);
      fixture.queue.close();
      for (const thread of threads) thread.answer();
      const outcomes = await Promise.allSettled(answers);
      assert.equal(outcomes.filter(({ status }) => status === "fulfilled").length, 2);
      assert.deepEqual(fixture.counted(), NOTHING);
    }
  });

  test("hands out nothing while there are no threads, and all when one comes", async () => {
    const fixture = new Fixture();
    const answer = fixture.ask(1);
    await nextTurn();
    assert.equal(fixture.queue.load().atThreads, 0);
    const thread = fixture.startThread();
    await thread.takeNext();
    thread.answer();
    assert.equal((await answer)[0], 1);
  });

  test("refuses a request at once where there is no room", async () => {
    const fixture = new Fixture({ requests: 4 });
    const context = contextOf();
    const answers = [1, 2].map((mark) => fixture.ask(mark, context));
    assert.throws(() => fixture.ask(3, context), { code: "QUEUE_FULL" });
    assert.equal(fixture.queue.load().shed.full, 1);
    answers.push(fixture.ask(4)); // another connection's
    assert.equal(fixture.queue.load().largest, 3);
    const codes = Promise.all(answers.map(codeOf));
    fixture.queue.close();
    assert.deepEqual(await codes, ["ABORTED", "ABORTED", "ABORTED"]);
    assert.deepEqual(fixture.counted(), NOTHING);
  });

  test("counts what requests hold, and refuses more of it than there is room for", () => {
    const fixture = new Fixture({ bytes: 100_000 });
    const large = contextOf({ heldBytes: 65_535 });
    fixture.ask(1, large).catch(() => {});
    assert.throws(() => fixture.ask(2, large), { code: "QUEUE_FULL", message: /too much memory/ });
    fixture.ask(3, contextOf({ heldBytes: 1_024 })).catch(() => {});
    assert.equal(fixture.counted()["bytes"], 66_559);
  });

  test("refuses at once what would wait past its deadline behind the rest of its connection", () => {
    const fixture = new Fixture({}, 2);
    const context = contextOf({ deadlineMs: performance.now() + 10_000 });
    let admitted = 0;
    const ask = (of = context) => void fixture.ask(1, of, 100).catch(() => {});
    assert.throws(() => {
      for (; admitted < 1_000; admitted++) ask();
    }, { code: "QUEUE_FULL", message: /more work waits .* within sign_timeout/ });
    assert.equal(admitted, 100); // half of what two threads do in 10 s
    ask(contextOf({ deadlineMs: performance.now() + 10_000 }));
    assert.equal(fixture.queue.load().shed.full, 1);
  });

  test("gives up what waits past its deadline, unsigned", async () => {
    const fixture = new Fixture();
    const late = fixture.ask(1, contextOf({ deadlineMs: performance.now() + 20 }));
    assert.equal(await codeOf(late), "DEADLINE");
    assert.equal(await codeOf(fixture.ask(3, contextOf({ deadlineMs: 0 }))), "DEADLINE");
    assert.equal(fixture.queue.load().shed.deadline, 2);
    const thread = fixture.startThread();
    const next = fixture.ask(2);
    await thread.takeNext();
    assert.deepEqual(thread.answer(), [2]);
    await next;
  });

  test("gives up what was handed out, and no thread has begun by its deadline", async () => {
    const fixture = new Fixture({}, 1);
    const thread = fixture.startThread();
    const begun = fixture.ask(1);
    const late = fixture.ask(2, contextOf({ deadlineMs: performance.now() + 20 }));
    await thread.takeNext();
    assert.deepEqual(turnStates(fixture.memory), { FREE: 6, READY: 1, DONE: 0, LOST: 0, TAKEN: 1 });
    assert.equal(await codeOf(late), "DEADLINE");
    assert.deepEqual(thread.answer(), [1]);
    await begun;
    assert.equal(thread.take(), false);
    assert.deepEqual(fixture.counted(), NOTHING);
  });

  test("waits for what a thread has begun, past its deadline", async () => {
    const fixture = new Fixture();
    const thread = fixture.startThread();
    const begun = fixture.ask(1, contextOf({ deadlineMs: performance.now() + 20 }));
    await thread.takeNext();
    const late = fixture.ask(2, contextOf({ deadlineMs: performance.now() + 20 }));
    assert.equal(await codeOf(late), "DEADLINE");
    thread.answer();
    assert.equal((await begun)[0], 1);
  });

  test("gives up what waits for a connection that is gone, unsigned", async () => {
    const fixture = new Fixture();
    const connection = new AbortController();
    const gone = fixture.ask(1, contextOf({ signal: connection.signal }));
    const kept = fixture.ask(2);
    connection.abort();
    const thread = fixture.startThread();
    assert.equal(await codeOf(gone), "ABORTED");
    await thread.takeNext();
    assert.deepEqual(thread.answer(), [2]);
    assert.equal(fixture.queue.load().shed.closed, 1);
    await kept;
  });

  test("has room again soon after a crowd of connections has asked and gone", async () => {
    const fixture = new Fixture({ requests: 1_000, bytes: 1e9 });
    const gone: Promise<unknown>[] = [];
    for (let connection = 0; connection < 60; connection++) {
      const controller = new AbortController();
      const context = contextOf({ signal: controller.signal });
      try {
        while (true) gone.push(codeOf(fixture.ask(1, context)));
      } catch {
        controller.abort();
      }
    }
    assert.equal(gone.length, 1_000);
    assert.throws(() => fixture.ask(2), { code: "QUEUE_FULL" });
    await Promise.all(gone);
    assert.deepEqual(fixture.counted(), NOTHING);
    const kept = fixture.ask(3);
    const thread = fixture.startThread();
    await thread.takeNext();
    thread.answer();
    await kept;
  });

  test("tries what a dead thread had on another one, once", async () => {
    const fixture = new Fixture();
    const first = fixture.startThread(0);
    const asked = [fixture.ask(1), fixture.ask(2)];
    await first.takeNext();
    await first.takeNext();
    first.die();
    const second = fixture.startThread(1);
    await second.takeNext();
    await second.takeNext();
    second.answer();
    assert.equal((await Promise.race(asked)).length, 32);
    second.die();
    const outcomes = await Promise.allSettled(asked);
    assert.deepEqual(outcomes.map(({ status }) => status).toSorted(), ["fulfilled", "rejected"]);
    const lost = outcomes.find((outcome) => outcome.status === "rejected")!;
    assert.equal(lost.reason.code, "THREAD_LOST");
    assert.deepEqual(fixture.counted(), NOTHING);
  });

  test("leaves no request of two connections that died with a thread in the middle of a turn", async () => {
    const fixture = new Fixture();
    const thread = fixture.startThread();
    const contexts = [contextOf(), contextOf()];
    const asked = Array.from(
      { length: 16 },
      (_, mark) => fixture.ask(mark, contexts[mark % 2], 0.25),
    );
    await thread.takeNext();
    await thread.takeNext();
    thread.die();
    const next = fixture.startThread(1);
    const served: number[] = [];
    while (served.length < 16) {
      await next.takeNext();
      served.push(...next.answer());
    }
    assert.deepEqual(served.toSorted((a, b) => a - b), asked.map((_, mark) => mark));
    assert.deepEqual((await Promise.all(asked)).map(([mark]) => mark), [...asked.keys()]);
  });

  test("passes a thread's error on", async () => {
    const fixture = new Fixture();
    const thread = fixture.startThread();
    const refused = fixture.ask(1);
    await thread.takeNext();
    thread.answer(() => ({
      outcome: "SIGN_REFUSED",
      bytes: new TextEncoder().encode("no, really"),
    }));
    await assert.rejects(refused, { code: "SIGN_REFUSED", message: "no, really" });
  });

  test("refuses what does not fit the key, or a turn, before it is queued", () => {
    const fixture = new Fixture();
    for (
      const [key, scheme, length] of [
        [KEY, "rsa-sha256", 31],
        [KEY, "ed25519", 32],
        [ED25519, "ed25519", fixture.queue.maxBytes + 1],
        [HUGE, "rsa-sha256", 32],
      ] as const
    ) {
      const bytes = new Uint8Array(length);
      assert.throws(() => fixture.queue.sign(key, scheme, bytes, 1, contextOf()), {
        code: "SIGN_REFUSED",
      });
    }
    assert.deepEqual(fixture.counted(), NOTHING);
  });

  test("takes a message that just fits, and gives it to the thread whole", async () => {
    const fixture = new Fixture();
    const thread = fixture.startThread();
    const message = new Uint8Array(fixture.queue.maxBytes).map((_, index) => index);
    const answer = fixture.queue.sign(ED25519, "ed25519", message, 1, contextOf());
    await thread.takeNext();
    thread.answer();
    assert.deepEqual(await answer, message);
  });

  test("keeps a copy of what it is given: the caller's bytes may change", async () => {
    const fixture = new Fixture();
    const bytes = new Uint8Array(32).fill(5);
    const answer = fixture.queue.sign(KEY, "rsa-sha256", bytes, 1, contextOf());
    bytes.fill(6);
    const thread = fixture.startThread();
    await thread.takeNext();
    assert.deepEqual(thread.answer(), [5]);
    await answer;
  });

  test("takes nothing more when it is closed", () => {
    const fixture = new Fixture();
    fixture.queue.close();
    assert.throws(() => fixture.ask(1), { code: "ABORTED" });
    assert.deepEqual(fixture.counted(), NOTHING);
  });
});

describe("a queue in the place of one whose event loop has ended", () => {
  test("leaves nothing of what was decrypted for that one in the memory", () => {
    const memory = createSigningMemory(1, 1);
    const bytes = new Uint8Array(256);
    const request = { address: 7, bits: 2_048, scheme: "rsa-decrypt", bytes } as const;
    new Turns(memory).publish(0, 0, [request]);
    new SharedCounters(SIGNING_COUNTERS, memory.counters, 0).set("turns", 1);
    const thread = new FakeSigningThread(memory);
    assert.ok(thread.take());
    thread.answer(() => ({ outcome: "made", bytes: bytes.map(() => 0xee) }));
    assert.ok(new Uint8Array(memory.turns).includes(0xee));
    open.push(new SigningQueue(memory, 0));
    assert.equal(new Uint8Array(memory.turns).includes(0xee), false);
  });

  test("starts empty, gets no answer to what it did not ask, and has all its turns in the end", async () => {
    const memory = createSigningMemory(1, 1);
    const turns = new Turns(memory);
    const requests = [1, 2].map((mark): ThreadRequest => {
      return {
        address: 7,
        bits: 2_048,
        scheme: "rsa-sha256",
        bytes: new Uint8Array(32).fill(mark),
      };
    });
    for (const [turn, request] of requests.entries()) turns.publish(turn, turn, [request]);
    const counters = new SharedCounters(SIGNING_COUNTERS, memory.counters, 0);
    for (const name of SIGNING_COUNTERS) counters.set(name, 2);
    const thread = new FakeSigningThread(memory);
    assert.ok(thread.take());
    assert.deepEqual(turnStates(memory), { FREE: 6, READY: 1, DONE: 0, LOST: 0, TAKEN: 1 });

    const queue = new SigningQueue(memory, 0);
    open.push(queue);
    assert.equal(queue.load().atThreads, 0);
    assert.deepEqual(turnStates(memory), { FREE: 7, READY: 0, DONE: 0, LOST: 0, TAKEN: 1 });
    assert.equal(counters.sum("requests"), 0);
    assert.equal(thread.take(), false);

    const answer = queue.sign(KEY, "rsa-sha256", new Uint8Array(32).fill(3), 5, contextOf());
    assert.deepEqual(thread.answer(), [1]);
    await thread.takeNext();
    assert.deepEqual(thread.answer(), [3]);
    assert.equal((await answer)[0], 3);
    assert.deepEqual(turnStates(memory), { FREE: 8, READY: 0, DONE: 0, LOST: 0, TAKEN: 0 });
  });
});
