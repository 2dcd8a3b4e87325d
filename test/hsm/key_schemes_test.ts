import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { describePublicKey, type KeyShape } from "../../src/crypto/public_key.ts";
import type { Scheme } from "../../src/crypto/scheme.ts";
import {
  type KeyUses,
  sampleScheme,
  schemesOfType,
  whyNotUsable,
} from "../../src/hsm/key_schemes.ts";
import { MECHANISMS } from "../../src/hsm/operations.ts";
import { keyOf, publicKeyOf } from "../support/openssl.ts";

const ALL = Object.entries(MECHANISMS).map(([name, type]) => ({
  name,
  type,
  minKeySize: 0,
  maxKeySize: 0,
  flags: 0xa00, // CKF_SIGN, CKF_DECRYPT
}));
const RSA = { type: "rsa", bits: 2048 } as const;
const FREE = { canSign: true, canDecrypt: true, allowedMechanisms: undefined };
const why = (
  scheme: Scheme,
  uses: Partial<KeyUses> = {},
  shape: KeyShape = RSA,
  mechanisms: typeof ALL = ALL,
) => whyNotUsable(scheme, { ...FREE, ...uses, shape }, mechanisms);

test("sampleScheme is the usual one where the key may do it, else another, but no decryption", () => {
  const rsa = describePublicKey(publicKeyOf(keyOf("RSA 2048")));
  assert.equal(sampleScheme(rsa, ["CKM_RSA_X_509", "CKM_RSA_PKCS"]), "rsa-sha256");
  assert.equal(sampleScheme(rsa, ["CKM_RSA_PKCS_PSS"]), "rsa-pss-sha256");
  assert.equal(sampleScheme(rsa, ["CKM_RSA_X_509"]), undefined);
  const ec = describePublicKey(publicKeyOf(keyOf("P-384")));
  assert.equal(sampleScheme(ec, ["CKM_ECDSA"]), "ecdsa-sha384");
});

test("schemesOfType gives those of RSA, EC and Ed25519", () => {
  assert.equal(schemesOfType(RSA).length, 10);
  assert.equal(schemesOfType({ type: "ec", bits: 256 }).length, 6);
  assert.deepEqual(schemesOfType({ type: "ed25519", bits: 256 }), ["ed25519"]);
});

describe("whyNotUsable", () => {
  test("lets every scheme of a free key pass", () => {
    for (const scheme of schemesOfType(RSA)) assert.equal(why(scheme), undefined, scheme);
  });

  test("tells signing from decrypting", () => {
    assert.equal(why("rsa-sha256", { canSign: false }), "it may not sign (CKA_SIGN)");
    assert.equal(why("rsa-sha256", { canDecrypt: false }), undefined);
    assert.equal(why("rsa-decrypt", { canDecrypt: false }), "it may not decrypt (CKA_DECRYPT)");
    assert.equal(why("rsa-decrypt", { canSign: false }), undefined);
  });

  test("names what the token does not have", () => {
    const others = ALL.filter(({ name }) => name !== "CKM_RSA_PKCS_PSS");
    const said = why("rsa-pss-sha256", {}, RSA, others);
    assert.equal(said, "the token does not have CKM_RSA_PKCS_PSS");
    assert.equal(why("rsa-sha256", {}, RSA, others), undefined);
  });

  test("keeps to what the key allows", () => {
    const allowedMechanisms = [MECHANISMS.CKM_RSA_PKCS];
    assert.equal(why("rsa-sha256", { allowedMechanisms }), undefined);
    assert.equal(
      why("rsa-pss-sha256", { allowedMechanisms }),
      "it may not be used with CKM_RSA_PKCS_PSS (CKA_ALLOWED_MECHANISMS)",
    );
  });

  test("wants the mechanism for this use, not for another alone", () => {
    const only = (flags: number) => ALL.map((each) => ({ ...each, flags }));
    const said = "the token has CKM_RSA_X_509, but not to decrypt";
    assert.equal(why("rsa-decrypt", {}, RSA, only(0x800)), said);
    assert.equal(why("rsa-decrypt", {}, RSA, only(0x200)), undefined);
    const eddsa = "the token has CKM_EDDSA, but not to sign";
    assert.equal(why("ed25519", {}, { type: "ed25519", bits: 256 }, only(0x2000)), eddsa);
  });

  test("wants a key of a size that the token's mechanism takes", () => {
    const sized = (minKeySize: number, maxKeySize: number) =>
      ALL.map((each) => ({ ...each, minKeySize, maxKeySize }));
    const said = "the token has CKM_RSA_PKCS for keys of 3072 to 4096 bits alone";
    assert.equal(why("rsa-sha256", {}, RSA, sized(3_072, 4_096)), said);
    assert.match(why("rsa-sha256", {}, RSA, sized(512, 1_024))!, /of 512 to 1024 bits alone/);
    assert.equal(why("rsa-sha256", {}, RSA, sized(2_048, 2_048)), undefined);
    assert.equal(why("rsa-sha256", {}, RSA, sized(512, 0)), undefined, "no limit is told");
    const edwards = { type: "ed25519", bits: 256 } as const;
    assert.equal(why("ed25519", {}, edwards, sized(255, 255)), undefined);
  });

  test("says where a key is too short for a scheme", () => {
    const short = { type: "rsa", bits: 1024 } as const;
    assert.match(why("rsa-pss-sha512", {}, short)!, /needs a key of 130 bytes/);
    assert.equal(why("rsa-pss-sha256", {}, short), undefined);
  });
});
