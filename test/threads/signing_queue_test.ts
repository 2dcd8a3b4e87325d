import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MessageChannel, type MessagePort } from "node:worker_threads";
import type { PrivateKey } from "../../src/crypto/engine.ts";
import { KeylessError } from "../../src/errors/errors.ts";
import {
  type Batch,
  decodeRequests,
  encodeReplies,
  type ThreadReply,
} from "../../src/threads/batch.ts";
import { SigningQueue } from "../../src/threads/signing_queue.ts";
import { contextOf } from "../support/request_context.ts";

const KEY = { info: { type: "rsa", bits: 2_048 }, handle: 7 } as unknown as PrivateKey;

/** A queue, and threads that the test plays itself. */
class Fixture {
  readonly queue: SigningQueue;
  readonly #ports: MessagePort[] = [];
  readonly #batches: Batch[] = [];
  #came: (() => void) | undefined;

  constructor(capacity?: number) {
    this.queue = new SigningQueue(capacity === undefined ? {} : { capacity });
  }

  /** @returns answers the oldest batch that the thread has not answered */
  startThread(id = 0): (reply: (digest: Uint8Array) => ThreadReply) => void {
    const { port1, port2 } = new MessageChannel();
    const mine: Batch[] = [];
    port2.on("message", (batch: Batch) => {
      mine.push(batch);
      this.#batches.push(batch);
      this.#came?.();
    });
    this.#ports.push(port1, port2);
    this.queue.threadStarted(id, port1);
    return (reply) => {
      const requests = decodeRequests(mine.shift()!);
      port2.postMessage(encodeReplies(requests.map(({ bytes }) => reply(bytes))));
    };
  }

  /** The first byte of each digest that threads were sent, by batch; waits for so many. */
  async batches(count: number): Promise<number[][]> {
    while (this.#batches.length < count) {
      await new Promise<void>((resolve) => this.#came = resolve);
    }
    return this.#batches.map((batch) => decodeRequests(batch).map(({ bytes }) => bytes[0]!));
  }

  ask(mark: number, context = contextOf(), costMs = 5): Promise<Uint8Array> {
    return this.queue.sign(KEY, "rsa-sha256", new Uint8Array(32).fill(mark), costMs, context);
  }

  end(): void {
    this.queue.close();
    for (const port of this.#ports) port.close();
  }
}

/** The code of the error that a promise is rejected with. */
async function codeOf(promise: Promise<unknown>): Promise<string> {
  const thrown = await promise.then(() => undefined, (error: unknown) => error);
  assert.ok(thrown instanceof KeylessError, `not refused: ${thrown}`);
  return thrown.code;
}

const made = (bytes: Uint8Array): ThreadReply => ({ outcome: "made", bytes });

describe("the queue before the signing threads", () => {
  test("sends what became ready together in one message, and no more than keeps a thread busy", async () => {
    const fixture = new Fixture();
    const answer = fixture.startThread();
    const context = contextOf();
    const answers = Array.from({ length: 12 }, (_, mark) => fixture.ask(mark, context, 0.25));
    assert.deepEqual(await fixture.batches(2), [[0, 1, 2, 3], [4, 5, 6, 7]]);
    assert.equal(fixture.queue.load().waiting, 4);
    assert.equal(fixture.queue.load().atThreads, 8);
    answer(made);
    assert.equal((await answers[3]!)[0], 3);
    assert.deepEqual((await fixture.batches(3))[2], [8, 9, 10, 11]);
    for (const _ of [1, 2]) answer(made);
    assert.deepEqual((await Promise.all(answers)).map(([mark]) => mark), [...answers.keys()]);
    fixture.end();
  });

  test("has two slow requests at a thread, and each thread something to do", async () => {
    const fixture = new Fixture();
    for (const id of [0, 1]) fixture.startThread(id);
    const answers = Array.from({ length: 10 }, (_, mark) => fixture.ask(mark));
    await fixture.batches(4);
    const { waiting, atThreads, busy, threads, oldestMs } = fixture.queue.load();
    assert.deepEqual({ waiting, atThreads, busy, threads }, {
      waiting: 6,
      atThreads: 4,
      busy: 2,
      threads: 2,
    });
    assert.ok(oldestMs > 0);
    fixture.queue.close();
    for (const answer of answers.slice(4)) assert.equal(await codeOf(answer), "ABORTED");
    fixture.queue.threadEnded(0);
    fixture.queue.threadEnded(1);
    for (const answer of answers.slice(0, 4)) assert.equal(await codeOf(answer), "SIGN_FAILED");
    fixture.end();
  });

  test("refuses a request at once where there is no room", async () => {
    const fixture = new Fixture(4);
    const context = contextOf();
    const answers = [1, 2].map((mark) => fixture.ask(mark, context));
    assert.throws(() => fixture.ask(3, context), { code: "QUEUE_FULL" });
    assert.equal(fixture.queue.load().shed.full, 1);
    answers.push(fixture.ask(4)); // another connection's
    fixture.end();
    for (const answer of answers) assert.equal(await codeOf(answer), "ABORTED");
  });

  test("gives up what waits past its deadline, unsigned", async () => {
    const fixture = new Fixture();
    const late = fixture.ask(1, contextOf({ deadlineMs: performance.now() + 20 }));
    assert.equal(await codeOf(late), "DEADLINE");
    assert.equal(fixture.queue.load().shed.deadline, 1);
    const answer = fixture.startThread();
    const next = fixture.ask(2);
    assert.deepEqual(await fixture.batches(1), [[2]]);
    answer(made);
    await next;
    fixture.end();
  });

  test("gives up what waits for a connection that is gone, unsigned", async () => {
    const fixture = new Fixture();
    const connection = new AbortController();
    const gone = fixture.ask(1, contextOf({ signal: connection.signal }));
    const kept = fixture.ask(2);
    connection.abort();
    const answer = fixture.startThread();
    assert.equal(await codeOf(gone), "ABORTED");
    assert.deepEqual(await fixture.batches(1), [[2]]);
    assert.equal(fixture.queue.load().shed.closed, 1);
    answer(made);
    await kept;
    fixture.end();
  });

  test("tries what a dead thread had on another one, once", async () => {
    const fixture = new Fixture();
    fixture.startThread(0);
    const asked = [fixture.ask(1), fixture.ask(2)];
    await fixture.batches(2);
    fixture.queue.threadEnded(0);
    const answer = fixture.startThread(1);
    await fixture.batches(4);
    answer(made);
    assert.equal((await Promise.race(asked)).length, 32);
    fixture.queue.threadEnded(1);
    const [first, second] = await Promise.allSettled(asked);
    assert.deepEqual([first!.status, second!.status].toSorted(), ["fulfilled", "rejected"]);
    fixture.end();
  });

  test("passes a thread's error on", async () => {
    const fixture = new Fixture();
    const answer = fixture.startThread();
    const refused = fixture.ask(1);
    await fixture.batches(1);
    answer(() => ({ outcome: "SIGN_REFUSED", bytes: new TextEncoder().encode("no, really") }));
    await assert.rejects(refused, { code: "SIGN_REFUSED", message: "no, really" });
    fixture.end();
  });

  test("refuses a digest that does not fit the key before it is queued", () => {
    const fixture = new Fixture();
    const short = new Uint8Array(31);
    assert.throws(() => fixture.queue.sign(KEY, "rsa-sha256", short, 1, contextOf()), {
      code: "SIGN_REFUSED",
    });
    assert.equal(fixture.queue.load().waiting, 0);
    fixture.end();
  });
});
