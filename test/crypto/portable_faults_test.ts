import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { PrivateKey } from "../../src/crypto/engine.ts";
import { selectEngine } from "../../src/crypto/select_engine.ts";
import { type KeyKind, makeKey } from "../support/openssl.ts";

const engine = selectEngine("portable");
const WITHHELD = { code: "SIGN_FAILED", message: /does not verify and is withheld/ };

/**
 * A key whose private half is one key's and whose public half is another's: to the engine its
 * results look like those of a fault.
 */
function faulty(kind: KeyKind, publicMember: string): PrivateKey {
  const [own, other] = [engine.load(makeKey(kind)), engine.load(makeKey(kind))];
  const handle = own.handle as Record<string, unknown>;
  const publicHalf = (other.handle as Record<string, unknown>)[publicMember];
  assert.ok(publicHalf !== undefined);
  return { info: own.info, handle: { ...handle, [publicMember]: publicHalf } };
}

describe("the portable engine withholds a result that does not verify", () => {
  test("of RSA", () => {
    const key = faulty("RSA 2048", "publicKey");
    const digest = new Uint8Array(32);
    // undone by the other key, PKCS#1 padding is mostly broken, which is an error of its own
    assert.throws(() => engine.sign(key, "rsa-sha256", digest), { code: "SIGN_FAILED" });
    assert.throws(() => engine.sign(key, "rsa-pss-sha256", digest), { code: "SIGN_FAILED" });
    assert.throws(() => engine.decrypt(key, new Uint8Array(256).fill(1)), { code: "SIGN_FAILED" });
  });

  test("of ECDSA", () => {
    const key = faulty("P-256", "point");
    assert.throws(() => engine.sign(key, "ecdsa-sha256", new Uint8Array(32)), WITHHELD);
  });

  test("of Ed25519", () => {
    const key = faulty("Ed25519", "publicKey");
    assert.throws(() => engine.sign(key, "ed25519", new Uint8Array(32)), WITHHELD);
  });
});
