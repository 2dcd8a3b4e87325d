import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { KeylessError } from "../../src/errors/errors.ts";
import type { ErrorCode } from "../../src/errors/table.ts";
import type { Keystore, RequestContext } from "../../src/keystore/keystore.ts";
import { WIRE_ERRORS } from "../../src/protocol/errors.ts";
import { type Answer, dispatch } from "../../src/server/dispatch.ts";
import { RequestTimes } from "../../src/telemetry/request_times.ts";
import { keyOf } from "../support/openssl.ts";
import { contextOf } from "../support/request_context.ts";
import { StoreFixture } from "../support/store_fixture.ts";
import { storeOf } from "../support/test_server.ts";

const RSA_DECRYPT = 0x01;
const ECDSA_SHA256 = 0x15;
const RESULT = Uint8Array.of(9);

/** A key whose first operations fail, at once or later, and how often it was used. */
class FailingKey {
  readonly given: Uint8Array[] = [];
  retries = 0;
  readonly #failures: unknown[];
  readonly #isLater: boolean;

  constructor(failures: readonly unknown[], isLater: boolean) {
    this.#failures = [...failures];
    this.#isLater = isLater;
  }

  readonly keystore: Keystore = storeOf({
    sign: (_scheme, bytes) => this.#use(bytes),
    decrypt: (bytes) => this.#use(bytes),
  });

  ask(
    attempts: number,
    { opcode = ECDSA_SHA256, keystore = this.keystore, context = contextOf() }: {
      opcode?: number;
      keystore?: Keystore;
      context?: RequestContext;
    } = {},
  ): Answer | Promise<Answer> {
    const operation = { opcode, ski: new Uint8Array(20), payload: new Uint8Array(32).fill(5) };
    const retries = { attempts, onRetry: () => this.retries += 1 };
    return dispatch(operation, keystore, context, new RequestTimes(0, 0), retries);
  }

  #use(bytes: Uint8Array): Uint8Array | Promise<Uint8Array> {
    this.given.push(bytes.slice());
    const failure = this.#failures.shift();
    if (this.#isLater) return failure ? Promise.reject(failure) : Promise.resolve(RESULT);
    if (failure) throw failure;
    return RESULT;
  }
}

const FAILED = new KeylessError("SIGN_FAILED", "the engine failed");

for (const isLater of [false, true]) {
  describe(`an operation that fails ${isLater ? "later" : "at once"}`, () => {
    test("is tried again as often as sign_retry_count says", async () => {
      const key = new FailingKey([FAILED, FAILED], isLater);
      const answer = await key.ask(2);
      assert.equal(answer.error, WIRE_ERRORS.NONE);
      assert.deepEqual(answer.payload, RESULT);
      assert.equal(key.retries, 2);
      assert.equal(key.given.length, 3);
      for (const bytes of key.given) assert.deepEqual(bytes, new Uint8Array(32).fill(5));
    });

    test("is a cryptography error when the last attempt has failed", async () => {
      const key = new FailingKey([FAILED, FAILED, FAILED, FAILED], isLater);
      const answer = await key.ask(2);
      assert.equal(answer.error, WIRE_ERRORS.CRYPTOGRAPHY);
      assert.equal(answer.reason, "the engine failed");
      assert.equal(key.given.length, 3);
    });

    test("is not tried again without sign_retry_count", async () => {
      const key = new FailingKey([FAILED], isLater);
      assert.equal((await key.ask(0)).error, WIRE_ERRORS.CRYPTOGRAPHY);
      assert.equal(key.given.length, 1);
    });

    test("is tried again with a decryption, and where the key was looked up elsewhere", async () => {
      const decrypted = new FailingKey([FAILED], isLater);
      assert.equal((await decrypted.ask(1, { opcode: RSA_DECRYPT })).error, WIRE_ERRORS.NONE);
      const found = new FailingKey([FAILED], isLater);
      const keystore: Keystore = {
        find: (...asked) => Promise.resolve(found.keystore.find(...asked)),
      };
      assert.equal((await found.ask(1, { keystore })).error, WIRE_ERRORS.NONE);
      assert.equal(found.retries, 1);
    });

    const permanent: readonly [code: ErrorCode, error: number, shed: string | undefined][] = [
      ["SIGN_REFUSED", 1, undefined],
      ["KEY_WITHDRAWN", 1, undefined],
      ["THREAD_LOST", 1, undefined],
      ["QUEUE_FULL", 8, "full"],
      ["DEADLINE", 8, "deadline"],
      ["ABORTED", 8, "closed"],
      ["INTERNAL", 8, undefined],
    ];
    for (const [code, error, shed] of permanent) {
      test(`is not tried again for ${code}, and is error ${error}`, async () => {
        const key = new FailingKey([new KeylessError(code, "so it is")], isLater);
        const answer = await key.ask(3);
        assert.equal(answer.error.code, error);
        assert.equal(answer.shed, shed);
        assert.equal(key.given.length, 1);
      });
    }

    test("is not tried again for a defect", async () => {
      const key = new FailingKey([new TypeError("undefined is not a function")], isLater);
      const answer = await key.ask(3);
      assert.equal(answer.error, WIRE_ERRORS.INTERNAL);
      assert.match(answer.reason!, /^defect: /);
      assert.equal(key.given.length, 1);
    });

    test("is not tried again past its deadline", async () => {
      const key = new FailingKey([FAILED], isLater);
      const late = contextOf({ deadlineMs: performance.now() });
      assert.equal((await key.ask(3, { context: late })).error, WIRE_ERRORS.CRYPTOGRAPHY);
      assert.equal(key.given.length, 1);
    });

    test("is not tried again for a client that has left", async () => {
      const key = new FailingKey([FAILED], isLater);
      await key.ask(3, { context: contextOf({ signal: AbortSignal.abort() }) });
      assert.equal(key.given.length, 1);
    });
  });
}

test("an operation whose key is found too late, or for nobody, is not begun", async () => {
  const cases = [
    [contextOf({ deadlineMs: performance.now() }), "deadline"],
    [contextOf({ signal: AbortSignal.abort() }), "closed"],
  ] as const;
  for (const [context, shed] of cases) {
    const key = new FailingKey([], false);
    const keystore: Keystore = { find: (...asked) => Promise.resolve(key.keystore.find(...asked)) };
    const answer = await key.ask(0, { keystore, context });
    assert.equal(answer.error, WIRE_ERRORS.INTERNAL);
    assert.equal(answer.shed, shed);
    assert.equal(key.given.length, 0);
  }
});

test("an operation that succeeds at once is answered without a promise", () => {
  assert.ok(!(new FailingKey([], false).ask(3) instanceof Promise));
});

test("a key that is not there is not looked for again", async () => {
  let asked = 0;
  const keystore: Keystore = { find: () => void (asked += 1) };
  const answer = await new FailingKey([], false).ask(3, { keystore });
  assert.equal(answer.error, WIRE_ERRORS.KEY_NOT_FOUND);
  assert.equal(asked, 1);
});

test("a key that was withdrawn is not tried again", async () => {
  const fixture = new StoreFixture();
  fixture.dir.write("p256.key", keyOf("P-256"));
  const keystore = await fixture.load();
  const { ski } = keystore.at(0).info;
  keystore.withdraw(0);
  let retries = 0;
  const answer = await dispatch(
    { opcode: ECDSA_SHA256, ski, payload: new Uint8Array(32) },
    keystore,
    contextOf(),
    new RequestTimes(0, 0),
    { attempts: 5, onRetry: () => retries += 1 },
  );
  assert.equal(answer.error, WIRE_ERRORS.CRYPTOGRAPHY);
  assert.match(answer.reason!, /was withdrawn/);
  assert.equal(retries, 0);
  fixture.end();
});
