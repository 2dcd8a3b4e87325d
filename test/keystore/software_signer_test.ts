import assert from "node:assert/strict";
import { test } from "node:test";
import type { Engine, PrivateKey } from "../../src/crypto/engine.ts";
import { type Elsewhere, SoftwareSigner } from "../../src/keystore/software_signer.ts";
import { contextOf } from "../support/request_context.ts";

const INFO = { type: "rsa", bits: 2_048, costMs: 0.7 } as const;
const KEY: PrivateKey = { info: INFO, handle: 1 };
const DIGEST = new Uint8Array(32).fill(1);
const BLOCK = new Uint8Array(256).fill(2);

/** Tells what was done, and with what. */
const engine = {
  sign: (_key: PrivateKey, scheme: string, bytes: Uint8Array) => [`here ${scheme}`, bytes],
  decrypt: (_key: PrivateKey, block: Uint8Array) => ["here decrypt", block],
} as unknown as Engine;

function signer(elsewhere?: Elsewhere): SoftwareSigner {
  return new SoftwareSigner(engine, INFO, () => KEY, elsewhere);
}

test("a signer without another place works at once", () => {
  assert.deepEqual(signer().sign("rsa-sha256", DIGEST, contextOf()), ["here rsa-sha256", DIGEST]);
  assert.deepEqual(signer().decrypt(BLOCK, contextOf()), ["here decrypt", BLOCK]);
});

test("a signer hands the other place all that it has, and what does not fit there stays", async () => {
  const asked: unknown[][] = [];
  const place: Elsewhere = {
    maxBytes: 256,
    sign(...request) {
      asked.push(request);
      return Promise.resolve(new Uint8Array([7]));
    },
  };
  const context = contextOf();
  assert.deepEqual(
    await signer(place).sign("rsa-sha256", DIGEST, context),
    new Uint8Array([7]),
  );
  assert.deepEqual(await signer(place).decrypt(BLOCK, context), new Uint8Array([7]));
  assert.deepEqual(asked, [
    [KEY, "rsa-sha256", DIGEST, 0.7, context],
    [KEY, "rsa-decrypt", BLOCK, 0.7, context],
  ]);
  const long = new Uint8Array(257);
  assert.deepEqual(signer(place).sign("ed25519", long, context), ["here ed25519", long]);
});

test("a signer asks for its key each time, and throws what that throws", () => {
  let isGone = false;
  const key = () => {
    if (isGone) throw new Error("the key is gone");
    return KEY;
  };
  const waiting: Elsewhere = { maxBytes: 256, sign: () => assert.fail("asked elsewhere") };
  const signers = [
    new SoftwareSigner(engine, INFO, key),
    new SoftwareSigner(engine, INFO, key, waiting),
  ];
  isGone = true;
  for (const each of signers) {
    assert.throws(() => each.sign("rsa-sha256", DIGEST, contextOf()), /the key is gone/);
    assert.throws(() => each.decrypt(BLOCK, contextOf()), /the key is gone/);
  }
});
