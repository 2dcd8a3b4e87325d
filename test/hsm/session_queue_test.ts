import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { SessionReply, SessionRequest } from "../../src/hsm/batch.ts";
import { type QueueSession, SessionQueue } from "../../src/hsm/session_queue.ts";

/** A session that answers when a test says so. */
class FakeSession implements QueueSession {
  readonly held: SessionRequest[] = [];
  #listener: (replies: readonly SessionReply[]) => void = () => {};

  request(requests: readonly SessionRequest[]): void {
    this.held.push(...requests);
  }

  onReplies(listener: (replies: readonly SessionReply[]) => void): void {
    this.#listener = listener;
  }

  answer(count = this.held.length, outcome: SessionReply["outcome"] = "made"): void {
    this.#listener(this.held.splice(0, count).map(({ bytes }) => ({ outcome, bytes })));
  }
}

interface Asked {
  readonly connection?: { aborted: boolean };
  readonly key?: number;
  readonly deadlineMs?: number;
}

function makeQueue(options: Partial<ConstructorParameters<typeof SessionQueue>[0]> = {}) {
  const queue = new SessionQueue({ waitMs: 10_000, ...options });
  const settled: string[] = [];
  const ask = (name: string, { connection, key = 1, deadlineMs = Infinity }: Asked = {}) =>
    queue.push({
      ...{ key, deadlineMs },
      shape: { type: "ec", bits: 256 },
      scheme: "ecdsa-sha256",
      bytes: new TextEncoder().encode(name),
      connection: connection ?? { aborted: false },
      settle: ({ outcome, bytes }) => {
        settled.push(outcome === "made" ? new TextDecoder().decode(bytes) : `${name}: ${outcome}`);
      },
    });
  const settle = async (count: number) => {
    while (settled.length < count) await sleep(5);
  };
  return { queue, ask, settled, settle };
}

const turn = () => sleep(0);

function spin(durationMs: number): void {
  const sinceMs = performance.now();
  while (performance.now() - sinceMs < durationMs);
}

test("requests wait for a session, and are answered by it in order", async () => {
  const { queue, ask, settled } = makeQueue();
  const connection = { aborted: false };
  for (const name of ["a", "b", "c"]) ask(name, { connection });
  await turn();
  assert.equal(queue.waiting, 3);
  const session = new FakeSession();
  queue.add(session);
  await turn();
  for (let n = 0; n < 10; n++) session.answer(1);
  assert.deepEqual(settled, ["a", "b", "c"]);
  assert.equal(queue.inUse, 0);
});

test("a session has many short operations at once", async () => {
  const { queue, ask } = makeQueue();
  const session = new FakeSession();
  queue.add(session);
  for (let n = 0; n < 60; n++) {
    ask("quick");
    await Promise.resolve();
    spin(0.2);
    session.answer();
  }
  const connection = { aborted: false };
  for (let n = 0; n < 1_000; n++) ask("short", { connection });
  await turn();
  assert.ok(session.held.length > 2, `${session.held.length}`);
  assert.ok(queue.waiting > 100, "and the rest waits where the queue is fair");
  queue.close();
});

test("a session has one long operation at once", { timeout: 20_000 }, async () => {
  const { queue, ask } = makeQueue();
  const sessions = [new FakeSession(), new FakeSession()];
  queue.add(sessions[0]!);
  for (let n = 0; n < 3; n++) {
    ask("learn");
    await sleep(60);
    sessions[0]!.answer();
  }
  queue.add(sessions[1]!);
  for (let n = 0; n < 10; n++) ask("long");
  await turn();
  assert.deepEqual(sessions.map(({ held }) => held.length), [1, 1]);
  assert.equal(queue.waiting, 8);
  assert.equal(queue.largest, 2);
  queue.close();
});

test("connections take turns, whatever one of them asks for", async () => {
  const { queue, ask, settled } = makeQueue();
  const [flood, single] = [{ aborted: false }, { aborted: false }];
  for (let n = 0; n < 100; n++) ask("flood", { connection: flood });
  ask("single", { connection: single });
  const session = new FakeSession();
  queue.add(session);
  await turn();
  for (let n = 0; n < 8; n++) session.answer(1);
  assert.ok(settled.includes("single"), `${settled}`);
  queue.close();
});

test("what waits too long is given up, and so is what is late", async () => {
  const { queue, ask, settled, settle } = makeQueue({ waitMs: 500 });
  const sinceMs = performance.now();
  ask("waits");
  ask("late", { deadlineMs: sinceMs + 20 });
  await settle(2);
  assert.deepEqual(settled, ["late: HSM_BUSY", "waits: HSM_BUSY"]);
  assert.ok(performance.now() - sinceMs >= 500);
  queue.close();
});

test("what a session does not answer in time is answered for it, once", async () => {
  const { queue, ask, settled, settle } = makeQueue();
  const session = new FakeSession();
  queue.add(session);
  ask("slow", { deadlineMs: performance.now() + 50 });
  await settle(1);
  assert.deepEqual(settled, ["slow: HSM_BUSY"]);
  session.answer();
  assert.deepEqual(settled, ["slow: HSM_BUSY"]);
  assert.equal(queue.inUse, 0);
});

test("what nobody waits for any more does not reach a session", async () => {
  const { queue, ask, settled } = makeQueue();
  const connection = { aborted: false };
  ask("gone", { connection });
  connection.aborted = true;
  const session = new FakeSession();
  queue.add(session);
  await turn();
  assert.deepEqual(session.held, []);
  assert.deepEqual(settled, ["gone: ABORTED"]);
});

test("what a session had when it ended is tried in another, once", async () => {
  const { queue, ask, settled } = makeQueue();
  const sessions = [new FakeSession(), new FakeSession(), new FakeSession()];
  queue.add(sessions[0]!);
  ask("a");
  await turn();
  queue.remove(sessions[0]!, "it was pulled");
  queue.add(sessions[1]!);
  await turn();
  assert.equal(sessions[1]!.held.length, 1);
  queue.remove(sessions[1]!, "it was pulled");
  queue.add(sessions[2]!);
  await turn();
  assert.deepEqual(settled, ["a: SIGN_FAILED"]);
  assert.equal(sessions[2]!.held.length, 0);
});

test("what a session had when it ended is given up where the token is not used any more", async () => {
  const { queue, ask, settled } = makeQueue();
  const session = new FakeSession();
  queue.add(session);
  ask("one");
  await turn();
  queue.close();
  assert.deepEqual(settled, [], "it may still be answered");
  queue.remove(session, "the program ends");
  assert.deepEqual(settled, ["one: ABORTED"]);
});

test("what stood behind the request that ended a session was not tried", async () => {
  const retried: number[] = [];
  const { queue, ask, settled } = makeQueue({ onRetried: (key) => retried.push(key) });
  const connection = { aborted: false };
  const sessions = Array.from({ length: 3 }, () => new FakeSession());
  ask("ends it", { connection, key: 7 });
  for (const name of ["a", "b"]) ask(name, { connection, key: 7 });
  for (const session of sessions.slice(0, 2)) {
    queue.add(session);
    await turn();
    assert.equal(queue.remove(session, "it was pulled", true), 7);
  }
  assert.deepEqual(settled, ["ends it: SIGN_FAILED"]);
  queue.add(sessions[2]!);
  for (let n = 0; n < 3; n++) {
    await turn();
    sessions[2]!.answer();
  }
  assert.deepEqual([settled.slice(1), retried], [["a", "b"], []]);
});

test("what waits for one key is failed alone", () => {
  const { queue, ask, settled } = makeQueue();
  for (const key of [1, 2, 1]) ask(`${key}`, { key });
  queue.fail("HSM_FAILED", "it is refused", 1);
  assert.deepEqual(settled, ["1: HSM_FAILED", "1: HSM_FAILED"]);
  assert.equal(queue.waiting, 1);
  queue.close();
});

test("demand is told where the sessions have enough to do", async () => {
  let told = 0;
  const { queue, ask } = makeQueue({ onDemand: () => told += 1 });
  const session = new FakeSession();
  queue.add(session);
  ask("a");
  await turn();
  assert.equal(told, 0);
  for (let n = 0; n < 5; n++) ask("b");
  await turn();
  assert.ok(told > 0);
  assert.ok(queue.backlogMs > 0);
  queue.fail("HSM_FAILED", "away");
  assert.equal(queue.backlogMs, 0);
  queue.close();
});

test("a session is idle when it has had nothing to do since then", async () => {
  const { queue, ask } = makeQueue();
  const session = new FakeSession();
  queue.add(session);
  const beforeMs = performance.now() - 1_000;
  assert.equal(queue.takeIdle(beforeMs), undefined);
  ask("a");
  await turn();
  assert.equal(queue.takeIdle(performance.now()), undefined);
  session.answer();
  assert.equal(queue.takeIdle(performance.now() + 1), session);
  assert.equal(queue.takeIdle(performance.now() + 1), undefined, "it is the queue's no more");
});
