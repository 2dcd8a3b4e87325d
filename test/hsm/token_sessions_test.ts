import assert from "node:assert/strict";
import { test } from "node:test";
import { KeylessError } from "../../src/errors/errors.ts";
import type { FrameContent } from "../../src/hsm/frames.ts";
import { ModuleSession } from "../../src/hsm/module_session.ts";
import { SessionQueue } from "../../src/hsm/session_queue.ts";
import { TokenSessions } from "../../src/hsm/token_sessions.ts";

/** A token that gives so many sessions in all; each goes as soon as it is told to. */
function makeSessions(gives: number, minSessions: number, maxSessions: number) {
  const opened: ModuleSession[] = [];
  const orders: unknown[] = [];
  const told: string[] = [];
  /** How many were asked for in one turn. */
  const turns: number[] = [];
  let asked = 0;
  const open = async () => {
    if (asked++ === 0) {
      turns.push(0);
      queueMicrotask(() => asked = 0);
    }
    turns.push(turns.pop()! + 1);
    await Promise.resolve();
    if (opened.length >= gives) throw new KeylessError("HSM_FAILED", "CKR_SESSION_COUNT");
    const session = new ModuleSession(opened.length, (content: FrameContent) => {
      orders.push("message" in content ? content.message : "a request");
      queueMicrotask(() => session.take({ message: { stopped: true } }));
    });
    opened.push(session);
    return session;
  };
  const sessions = new TokenSessions(new SessionQueue({ waitMs: 1_000 }), {
    ...{ minSessions, maxSessions, open },
    onLost: (why) => told.push(`lost: ${why}`),
    onLimited: (why, count) => told.push(`limited to ${count}: ${why}`),
  });
  return { sessions, opened, orders, told, turns };
}

/** Longer than a turn of openings. */
const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

test("sessions are opened by doubling, up to the most that may be", async () => {
  const { sessions, turns, told } = makeSessions(Infinity, 1, 12);
  await sessions.openLeast();
  for (let round = 0; round < 6; round++) {
    sessions.grow(1_000);
    await turn();
  }
  assert.deepEqual(turns, [1, 1, 2, 4, 4]);
  assert.equal(sessions.size, 12);
  assert.deepEqual(told, []);
  sessions.close();
});

test("no more sessions are opened than requests wait", async () => {
  const { sessions } = makeSessions(Infinity, 4, 12);
  await sessions.openLeast();
  sessions.grow(2);
  await turn();
  assert.equal(sessions.size, 6);
  sessions.close();
});

test("a token that gives no more is asked once, and told of once", async () => {
  const { sessions, turns, told } = makeSessions(10, 1, 255);
  await sessions.openLeast();
  for (let round = 0; round < 20; round++) {
    sessions.grow(1_000);
    await turn();
  }
  assert.deepEqual(turns, [1, 1, 2, 4, 8]);
  assert.deepEqual(told, ["limited to 10: CKR_SESSION_COUNT"]);
  sessions.close();
});

test("the least are opened by doubling, too, as far as the token gives them", async () => {
  const { sessions, turns, told } = makeSessions(5, 200, 200);
  await sessions.openLeast();
  assert.deepEqual(turns, [1, 1, 2, 4]);
  assert.deepEqual(told, ["limited to 5: CKR_SESSION_COUNT"]);
  sessions.close();
  await assert.rejects(makeSessions(0, 2, 4).sessions.openLeast(), /CKR_SESSION_COUNT/);
});

test("all are dropped without being closed, those that were lost and those on their way", async () => {
  const { sessions, opened, orders, told } = makeSessions(Infinity, 2, 4);
  await sessions.openLeast();
  opened[0]!.take({ message: { lost: "CKR_DEVICE_REMOVED" } });
  await turn();
  assert.deepEqual(told, ["lost: CKR_DEVICE_REMOVED"]);
  sessions.grow(1);
  await sessions.dropAll("gone");
  assert.deepEqual(orders, Array(3).fill({ stop: "drop" }));
  assert.equal(sessions.size, 0);
  sessions.close();
});

test("a lost session alone is closed where the others are of use", async () => {
  const { sessions, opened, orders } = makeSessions(Infinity, 3, 4);
  await sessions.openLeast();
  opened[1]!.take({ message: { lost: "CKR_OPERATION_ACTIVE" } });
  await turn();
  await sessions.closeLost();
  assert.deepEqual(orders, [{ stop: "close" }]);
  assert.equal(sessions.size, 2);
  sessions.close();
});
