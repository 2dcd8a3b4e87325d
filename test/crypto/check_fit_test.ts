import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { checkFit } from "../../src/crypto/check_fit.ts";
import type { PublicKeyInfo } from "../../src/crypto/public_key.ts";
import { DIGEST_BYTES, type KeyType, type Scheme, SCHEMES } from "../../src/crypto/scheme.ts";
import { selectEngine } from "../../src/crypto/select_engine.ts";
import { type KeyKind, keyOf } from "../support/openssl.ts";

const ALL = Object.keys(SCHEMES) as Scheme[];
const KEYS: readonly PublicKeyInfo[] = [
  info("rsa", 2_048),
  info("ec", 256),
  info("ed25519", 256),
];

describe("checkFit", () => {
  for (const scheme of ALL) {
    test(`takes ${scheme} with its own kind of key, and no other`, () => {
      for (const key of KEYS) {
        const check = () => checkFit(key, scheme, new Uint8Array(rightBytes(scheme)));
        if (key.type === SCHEMES[scheme].keyType) check();
        else assert.throws(check, { code: "SIGN_REFUSED", message: new RegExp(scheme) });
      }
    });
  }

  for (const scheme of ALL.filter((name) => name !== "ed25519")) {
    test(`takes ${scheme} with its own length of input, and no other`, () => {
      const key = KEYS.find(({ type }) => type === SCHEMES[scheme].keyType)!;
      const right = rightBytes(scheme);
      checkFit(key, scheme, new Uint8Array(right));
      const lengths = [0, 1, right - 1, right + 1, ...Object.values(DIGEST_BYTES)];
      for (const length of lengths.filter((other) => other !== right)) {
        assert.throws(
          () => checkFit(key, scheme, new Uint8Array(length)),
          { code: "SIGN_REFUSED", message: new RegExp(`${right} bytes, not of ${length}`) },
        );
      }
    });
  }

  test("takes Ed25519 messages of any length", () => {
    for (const length of [0, 1, 32, 65_535]) {
      checkFit(info("ed25519", 256), "ed25519", new Uint8Array(length));
    }
  });

  test("refuses a padding that the modulus has no room for, and takes one that just fits", () => {
    // the smallest modulus: RFC 8017 sections 9.2 (19 + 64 + 11 bytes) and 9.1.1 (2 * 64 + 2)
    const smallest = [
      ["rsa-sha512", 93 * 8 + 1],
      ["rsa-pss-sha512", 129 * 8 + 2],
      ["rsa-pss-sha256", 65 * 8 + 2],
      ["rsa-md5sha1", 46 * 8 + 1],
    ] as const;
    for (const [scheme, bits] of smallest) {
      const digest = new Uint8Array(rightBytes(scheme));
      checkFit(info("rsa", bits), scheme, digest);
      assert.throws(() => checkFit(info("rsa", bits - 1), scheme, digest), {
        code: "SIGN_REFUSED",
        message: new RegExp(`${scheme} needs`),
      });
    }
  });
});

for (const name of ["libcrypto", "portable"] as const) {
  describe(`${name} refuses`, () => {
    const engine = selectEngine(name);
    const load = (kind: KeyKind) => engine.load(keyOf(kind), { allowWeak: true });

    test("a scheme of another kind of key", () => {
      const [rsa, ec, ed] = [load("RSA 2048"), load("P-256"), load("Ed25519")];
      const digest = new Uint8Array(32);
      const refused = { code: "SIGN_REFUSED" };
      assert.throws(() => engine.sign(rsa, "ecdsa-sha256", digest), refused);
      assert.throws(() => engine.sign(ec, "rsa-pss-sha256", digest), refused);
      assert.throws(() => engine.sign(ed, "ecdsa-sha256", digest), refused);
      assert.throws(() => engine.sign(ec, "ed25519", digest), refused);
      assert.throws(() => engine.decrypt(ec, digest), refused);
      assert.throws(() => engine.decrypt(ed, digest), refused);
    });

    test("a digest of another length", () => {
      const [rsa, ec] = [load("RSA 2048"), load("P-256")];
      for (const length of [0, 20, 31, 33, 64]) {
        const digest = new Uint8Array(length);
        assert.throws(() => engine.sign(rsa, "rsa-sha256", digest), { code: "SIGN_REFUSED" });
        assert.throws(() => engine.sign(ec, "ecdsa-sha256", digest), { code: "SIGN_REFUSED" });
      }
    });

    test("PSS with SHA-512 by a key of 1024 bits", () => {
      assert.throws(
        () => engine.sign(load("RSA 1024"), "rsa-pss-sha512", new Uint8Array(64)),
        { code: "SIGN_REFUSED", message: /130 bytes; RSA 1024 has 128/ },
      );
    });

    test("nothing that fits: an empty Ed25519 message is signed", () => {
      assert.equal(engine.sign(load("Ed25519"), "ed25519", new Uint8Array(0)).length, 64);
    });
  });
}

function rightBytes(scheme: Scheme): number {
  const { hash } = SCHEMES[scheme];
  return hash === undefined ? 256 : DIGEST_BYTES[hash];
}

function info(type: KeyType, bits: number): PublicKeyInfo {
  const none = new Uint8Array(0);
  const curve = type === "ec" ? "P-256" : undefined;
  return { type, bits, curve, spki: none, ski: none, digest: undefined };
}
