import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import type { Scheme, SignScheme } from "../../src/crypto/scheme.ts";
import { KeylessError } from "../../src/errors/errors.ts";
import type { FileStore } from "../../src/keystore/file_store.ts";
import { type KeyProof, provableFileKeys, proveKeys } from "../../src/keystore/prove_keys.ts";
import type { Elsewhere } from "../../src/keystore/software_signer.ts";
import { createSigningMemory } from "../../src/threads/signing_memory.ts";
import { SigningQueue } from "../../src/threads/signing_queue.ts";
import { SigningThreads } from "../../src/threads/signing_threads.ts";
import { type KeyKind, keyOf } from "../support/openssl.ts";
import { contextOf } from "../support/request_context.ts";
import { StoreFixture } from "../support/store_fixture.ts";

const KINDS = ["Ed25519", "P-224", "P-256", "P-384", "P-521", "RSA 2048", "RSA 3-prime"] as const;

describe("the proof of a store's keys", () => {
  let fixture: StoreFixture;
  let store: FileStore;
  let ended: AbortController;
  let failures: string[];
  beforeEach(async () => {
    fixture = new StoreFixture();
    for (const kind of KINDS) fixture.dir.write(`${kind}.key`, keyOf(kind));
    store = await fixture.load();
    ended = new AbortController();
    failures = [];
  });
  afterEach(() => fixture.end());

  const prove = (place: Elsewhere): KeyProof =>
    proveKeys(provableFileKeys(store, place), {
      signal: ended.signal,
      onFailure: (position, why) => {
        const { path } = store.at(position);
        failures.push(`${path.slice(fixture.dir.path.length)} ${why}`);
      },
    });

  /** Signs with the engine itself, unless the test does otherwise. */
  const placeOf = (change: (scheme: Scheme, made: Uint8Array) => Uint8Array) => {
    const asked: Scheme[] = [];
    const place: Elsewhere = {
      maxBytes: 1_024,
      sign(key, scheme, bytes, costMs) {
        assert.ok(costMs > 0);
        asked.push(scheme);
        const made = fixture.engine.sign(key, scheme as SignScheme, bytes);
        return Promise.resolve(made).then((made) => change(scheme, made));
      },
    };
    return { asked, place };
  };

  const positionOf = (kind: KeyKind) =>
    [...store.keys()].findIndex(({ path }) => path.endsWith(`/${kind}.key`));

  const signWith = (kind: KeyKind) => {
    const { ski, type } = store.at(positionOf(kind)).info;
    const scheme = type === "rsa" ? "rsa-sha256" : "ecdsa-sha256";
    return store.find({ ski })!.sign(scheme, new Uint8Array(32), contextOf());
  };

  test("has each of them sign once, and finds nothing wrong with good ones", async () => {
    const { asked, place } = placeOf((_scheme, made) => made);
    const proof = prove(place);
    assert.deepEqual(proof.counts(), { pending: KINDS.length, passed: 0, failed: 0 });
    await proof.done;
    assert.deepEqual(proof.counts(), { pending: 0, passed: KINDS.length, failed: 0 });
    assert.deepEqual(asked, [
      "ed25519",
      "ecdsa-sha224",
      "ecdsa-sha256",
      "ecdsa-sha384",
      "ecdsa-sha512",
      "rsa-sha256",
      "rsa-sha256",
    ]);
    assert.deepEqual(failures, []);
  });

  test("withdraws a key whose signatures are wrong, and no other", async () => {
    const { place } = placeOf((scheme, made) =>
      scheme === "ecdsa-sha384" ? made.with(made.length - 1, made.at(-1)! ^ 1) : made
    );
    const proof = prove(place);
    await proof.done;
    assert.deepEqual(proof.counts(), { pending: 0, passed: KINDS.length - 1, failed: 1 });
    assert.deepEqual(failures, [
      "/P-384.key makes signatures that do not verify, and is not used any more; restore the file",
    ]);
    assert.throws(() => signWith("P-384"), { code: "KEY_WITHDRAWN", message: /was withdrawn/ });
    for (const kind of ["P-256", "RSA 2048"] as const) assert.ok(signWith(kind));
  });

  test("reports a key that could not sign there, which is served on", async () => {
    const { place } = placeOf((scheme, made) => {
      if (scheme !== "rsa-sha256") return made;
      throw new KeylessError("SIGN_FAILED", "the thread is gone");
    });
    const proof = prove(place);
    await proof.done;
    assert.deepEqual(proof.counts(), { pending: 0, passed: KINDS.length - 2, failed: 2 });
    assert.deepEqual(failures, [
      "/RSA 2048.key cannot be proved to sign: the thread is gone",
      "/RSA 3-prime.key cannot be proved to sign: the thread is gone",
    ]);
    assert.ok(signWith("RSA 2048"));
  });

  test("waits while there is no room for it", async () => {
    let refusals = 0;
    const { place } = placeOf((_scheme, made) => made);
    const full: Elsewhere = {
      ...place,
      sign(...request) {
        if (refusals++ < 2) throw new KeylessError("QUEUE_FULL", "no room");
        return place.sign(...request);
      },
    };
    await prove(full).done;
    assert.deepEqual(failures, []);
    assert.equal(refusals, KINDS.length + 2);
  });

  test("comes back later to a key whose token is away, after the others", async () => {
    const { asked, place } = placeOf((_scheme, made) => made);
    let isAway = true;
    const away: Elsewhere = {
      ...place,
      sign(...request) {
        if (request[1] !== "ecdsa-sha256" || !isAway) return place.sign(...request);
        isAway = false;
        return Promise.reject(new KeylessError("HSM_FAILED", "the token is away"));
      },
    };
    const proof = prove(away);
    await proof.done;
    assert.deepEqual(proof.counts(), { pending: 0, passed: KINDS.length, failed: 0 });
    assert.equal(asked.at(-1), "ecdsa-sha256");
    assert.deepEqual(failures, []);
  });

  test("ends when it is told to, and reports nothing of what it has not proved", async () => {
    const { place } = placeOf((_scheme, made) => made);
    const held: Elsewhere = {
      ...place,
      sign(...request) {
        const { signal } = request[4];
        if (request[1] !== "ecdsa-sha256") return place.sign(...request);
        return new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(new KeylessError("ABORTED", "gone")));
          ended.abort();
        });
      },
    };
    const proof = prove(held);
    await proof.done;
    assert.deepEqual(proof.counts(), { pending: KINDS.length - 2, passed: 2, failed: 0 });
    assert.deepEqual(failures, []);
  });

  test("passes on signing threads", { timeout: 20_000 }, async () => {
    const memory = createSigningMemory(1, 2);
    const threads = new SigningThreads(memory);
    const queue = new SigningQueue(memory, 0);
    const proof = prove(queue);
    await proof.done;
    queue.close();
    await threads.stop();
    assert.deepEqual(proof.counts(), { pending: 0, passed: KINDS.length, failed: 0 });
  });
});

test("the proof of an empty store is over at once", async () => {
  const fixture = new StoreFixture();
  const place: Elsewhere = { maxBytes: 0, sign: () => assert.fail("asked to sign") };
  const proof = proveKeys(provableFileKeys(await fixture.load(), place), {
    signal: new AbortController().signal,
    onFailure: () => assert.fail("a key has failed"),
  });
  await proof.done;
  assert.deepEqual(proof.counts(), { pending: 0, passed: 0, failed: 0 });
  fixture.end();
});
