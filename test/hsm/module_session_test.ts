import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { encodeReplies, type SessionReply } from "../../src/hsm/batch.ts";
import type { FrameContent } from "../../src/hsm/frames.ts";
import { ModuleSession } from "../../src/hsm/module_session.ts";

const NUMBER = 7;
const REQUEST = { key: 1, bits: 256, scheme: "ecdsa-sha256", bytes: new Uint8Array(32) } as const;

function makeSession() {
  const sent: FrameContent[] = [];
  const session = new ModuleSession(NUMBER, (content) => sent.push(content));
  const heard: SessionReply[] = [];
  session.onReplies((replies) => heard.push(...replies));
  return { session, sent, heard };
}

function replies(ids: readonly number[], session = NUMBER): FrameContent {
  const batch = encodeReplies(ids.map((id) => ({ id, outcome: "made", bytes: Uint8Array.of(id) })));
  return { session, batch };
}

const orders = (sent: readonly FrameContent[]) =>
  sent.flatMap((content) => "message" in content ? [content.message] : []);

describe("a session's answers", () => {
  test("reach the requests in their order", () => {
    const { session, heard } = makeSession();
    session.request([REQUEST, REQUEST]);
    session.request([REQUEST]);
    session.take(replies([0]));
    assert.ok(session.busySinceMs !== undefined);
    session.take(replies([1, 2]));
    assert.deepEqual(heard.map(({ bytes }) => bytes[0]), [0, 1, 2]);
    assert.equal(session.busySinceMs, undefined);
  });

  const WRONG: Readonly<Record<string, FrameContent>> = {
    "to another session's requests": replies([0], NUMBER - 1),
    "to a later request": replies([1]),
    "to one that was answered": replies([0, 0]),
    "to more than was asked": replies([0, 1, 2]),
  };
  for (const [what, content] of Object.entries(WRONG)) {
    test(`${what} reach nobody`, () => {
      const { session, heard } = makeSession();
      session.request([REQUEST, REQUEST]);
      assert.throws(() => session.take(content), { code: "TRAILING" });
      assert.deepEqual(heard, []);
    });
  }
});

describe("a session's thread", () => {
  test("is told once to go, and nothing after that", () => {
    const { session, sent } = makeSession();
    session.drop();
    session.close();
    session.request([REQUEST]);
    assert.deepEqual(sent, [{ message: { stop: "drop" } }]);
  });

  test("stays after a loss until it is told to go: its socket may hold requests", async () => {
    const { session, sent } = makeSession();
    let isGone = false;
    void session.gone.then(() => isGone = true);
    session.request([REQUEST]);
    session.take({ message: { lost: "CKR_DEVICE_REMOVED" } });
    assert.equal(await session.end, "CKR_DEVICE_REMOVED");
    assert.equal(session.busySinceMs, undefined);
    assert.deepEqual([isGone, orders(sent)], [false, []]);
    session.close();
    assert.ok(session.busySinceMs !== undefined, "closing it may hang, too");
    session.take({ message: { stopped: true } });
    await session.gone;
    assert.equal(session.busySinceMs, undefined);
  });

  test("goes where no session could be opened", async () => {
    const { session, sent } = makeSession();
    session.take({ message: { failed: { code: "HSM_FAILED", message: "none left" } } });
    await assert.rejects(session.opened, { code: "HSM_FAILED", message: "none left" });
    assert.deepEqual(orders(sent), [{ stop: "close" }]);
  });
});
