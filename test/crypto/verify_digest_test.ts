import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DigestVerifier } from "../../src/crypto/libcrypto/verify_digest.ts";
import { describePublicKey } from "../../src/crypto/public_key.ts";
import { type Scheme, SCHEMES, type SignScheme } from "../../src/crypto/scheme.ts";
import { selectEngine } from "../../src/crypto/select_engine.ts";
import { digestOf, verifySignature } from "../../src/crypto/verify.ts";
import { openLibcrypto } from "../../src/runtime/libcrypto.ts";
import { type KeyKind, keyOf, publicKeyOf } from "../support/openssl.ts";

const KINDS = { rsa: "RSA 2048", ec: "P-256", ed25519: "Ed25519" } as const satisfies Record<
  string,
  KeyKind
>;
const MESSAGE = new TextEncoder().encode("hello");

const verifier = new DigestVerifier(openLibcrypto());
const engine = selectEngine("libcrypto");

describe("a signature over a ready digest", () => {
  for (const scheme of Object.keys(SCHEMES) as Scheme[]) {
    if (scheme === "rsa-decrypt") continue;
    test(`by ${scheme} is right, and wrong when a bit of it or of the digest is another`, () => {
      const kind = KINDS[SCHEMES[scheme].keyType];
      const spki = publicKeyOf(keyOf(kind));
      const pkey = verifier.publicKey(spki);
      const digest = digestOf(scheme, MESSAGE);
      const signature = signWith(kind, scheme, digest);
      const isRight = (bytes: Uint8Array, made: Uint8Array) =>
        verifier.verify(pkey, scheme, bytes, made);
      assert.equal(isRight(digest, signature), true);
      assert.equal(verifySignature(describePublicKey(spki), scheme, MESSAGE, signature), true);
      for (const at of [0, signature.length >> 1, signature.length - 1]) {
        assert.equal(isRight(digest, flipped(signature, at)), false, `byte ${at}`);
      }
      assert.equal(isRight(flipped(digest, 0), signature), false);
      assert.equal(isRight(digest, signature.subarray(1)), false);
      assert.equal(isRight(digest, new Uint8Array(0)), false);
      assert.equal(isRight(digest, signature), true, "a wrong one leaves no trace");
    });
  }
});

test("bytes that are no public key are refused", () => {
  for (const bytes of [new Uint8Array(0), Uint8Array.of(0x30, 0), new Uint8Array(91)]) {
    assert.throws(() => verifier.publicKey(bytes), { code: "KEY_FORMAT" });
  }
});

function signWith(kind: KeyKind, scheme: SignScheme, digest: Uint8Array): Uint8Array {
  const key = engine.load(keyOf(kind).slice());
  try {
    return engine.sign(key, scheme, digest);
  } finally {
    engine.free(key);
  }
}

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = bytes.slice();
  copy[at]! ^= 1;
  return copy;
}
