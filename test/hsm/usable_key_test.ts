import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { FoundKey } from "../../src/hsm/module_calls.ts";
import type { MechanismInfo } from "../../src/hsm/module.ts";
import { MECHANISMS } from "../../src/hsm/operations.ts";
import { parseUri } from "../../src/hsm/uri.ts";
import { chooseKeys, usableKey } from "../../src/hsm/usable_key.ts";
import { type KeyKind, keyOf, publicKeyOf } from "../support/openssl.ts";

const ALL: readonly MechanismInfo[] = Object.entries(MECHANISMS).map(([name, type]) => {
  return { name, type, minKeySize: 0, maxKeySize: 0, flags: 0xa00 }; // CKF_SIGN, CKF_DECRYPT
});
const KEY_TYPES = { "RSA 1024": 0, "RSA 2048": 0, "P-256": 3, "Ed25519": 0x40 } as const;

function keyWith(kind: keyof typeof KEY_TYPES & KeyKind, change: Partial<FoundKey> = {}): FoundKey {
  return {
    id: Uint8Array.of(1),
    label: "tls",
    keyType: KEY_TYPES[kind],
    spki: publicKeyOf(keyOf(kind)),
    spkiFrom: "public key",
    hasCertificate: false,
    canSign: true,
    canDecrypt: false,
    isExtractable: false,
    isAlwaysAuthenticated: false,
    allowedMechanisms: undefined,
    handle: new Uint8Array(8),
    ...change,
  };
}

describe("what a key may be used with", () => {
  const found: readonly (readonly [what: string, FoundKey, readonly MechanismInfo[], string[]])[] =
    [
      ["EC", keyWith("P-256"), ALL, ["CKM_ECDSA"]],
      ["Ed25519", keyWith("Ed25519"), ALL, ["CKM_EDDSA"]],
      ["RSA that signs", keyWith("RSA 2048"), ALL, ["CKM_RSA_PKCS", "CKM_RSA_PKCS_PSS"]],
      [
        "RSA that decrypts alone",
        keyWith("RSA 2048", { canSign: false, canDecrypt: true }),
        ALL,
        ["CKM_RSA_X_509"],
      ],
      [
        "RSA on a token without PSS and raw RSA",
        keyWith("RSA 2048", { canDecrypt: true }),
        ALL.filter(({ name }) => name === "CKM_RSA_PKCS"),
        ["CKM_RSA_PKCS"],
      ],
      [
        "RSA that is for PSS alone",
        keyWith("RSA 2048", { allowedMechanisms: [MECHANISMS.CKM_RSA_PKCS_PSS, 0x1234] }),
        ALL,
        ["CKM_RSA_PKCS_PSS"],
      ],
    ];
  for (const [what, key, token, mechanisms] of found) {
    test(`is, for ${what}, ${mechanisms.join(" and ")}`, () => {
      assert.deepEqual(usableKey(key, token, false).mechanisms.toSorted(), mechanisms);
    });
  }
});

describe("a key is refused, with the mend, that", () => {
  const refused: readonly (readonly [what: string, FoundKey, code: string, message: RegExp])[] = [
    ["is of another kind", keyWith("P-256", { keyType: 1 }), "HSM_KEY", /use RSA, EC or Ed25519/],
    [
      "wants its PIN each time",
      keyWith("P-256", { isAlwaysAuthenticated: true }),
      "HSM_KEY",
      /CKA_ALWAYS_AUTHENTICATE\).*make the key without it/,
    ],
    [
      "has no public half",
      keyWith("P-256", { spki: undefined, spkiFrom: undefined }),
      "HSM_KEY",
      /import its public key or its certificate with the same id \(01\)/,
    ],
    [
      "may not sign",
      keyWith("P-256", { canSign: false }),
      "HSM_KEY",
      /may not sign \(CKA_SIGN\)\. Make or import it/,
    ],
    [
      "is for other mechanisms",
      keyWith("P-256", { allowedMechanisms: [1] }),
      "HSM_KEY",
      /CKM_ECDSA \(CKA_ALLOWED_MECHANISMS\)/,
    ],
    ["is weak", keyWith("RSA 1024"), "KEY_WEAK", /"tls" \(id=%01\): an RSA key of 1024 bits/],
    [
      "may be the half of either of two public keys, naming both,",
      keyWith("P-256", {
        spki: undefined,
        spkiFrom: undefined,
        rivals: [{ id: Uint8Array.of(1), label: "old" }, { id: Uint8Array.of(1), label: "new" }],
      }),
      "HSM_KEY",
      /may belong to "old" \(id=%01\), "new" \(id=%01\): give each pair an id of its own/,
    ],
    [
      "has a public half that is none",
      keyWith("P-256", { spki: Uint8Array.of(1) }),
      "KEY_FORMAT",
      /not a public key/,
    ],
  ];
  for (const [what, key, code, message] of refused) {
    test(what, () => assert.throws(() => usableKey(key, ALL, false), { code, message }));
  }

  test("has no mechanism on its token", () => {
    assert.throws(() => usableKey(keyWith("Ed25519"), [], false), {
      code: "HSM_KEY",
      message: /the token does not have CKM_EDDSA. .* keyless hsm mechanisms/,
    });
  });

  test("has a name that would move a cursor: it is written out", () => {
    const key = keyWith("P-256", { label: "a\u001b[2J\n\u202e", canSign: false });
    // deno-lint-ignore no-control-regex
    assert.throws(() => usableKey(key, ALL, false), { message: /^[^\u0000-\u001f\u202e]*$/ });
  });
});

test("a weak key is used where that is allowed", () => {
  assert.equal(usableKey(keyWith("RSA 1024"), ALL, true).info.bits, 1_024);
});

describe("of the keys that fit", () => {
  const keys = [keyWith("P-256"), keyWith("P-256", { id: Uint8Array.of(2) })];
  const choose = (uri: string, found: readonly FoundKey[]) => chooseKeys(parseUri(uri), found);

  test("all are meant by a URI without id and object", () => {
    assert.deepEqual(choose("pkcs11:token=a", keys), keys);
    assert.deepEqual(choose("pkcs11:token=a;type=private", keys), keys);
  });

  test("one is meant by a URI with either", () => {
    assert.deepEqual(choose("pkcs11:token=a;object=tls", keys.slice(1)), keys.slice(1));
    assert.throws(() => choose("pkcs11:token=a;object=tls", keys), {
      code: "HSM_KEY",
      message: /^2 private keys fit: "tls" \(id=%01\), "tls" \(id=%02\); add id= or object=/,
    });
  });

  test("ten are named where more fit", () => {
    const many = Array.from({ length: 12 }, (_, n) => keyWith("P-256", { id: Uint8Array.of(n) }));
    assert.throws(() => choose("pkcs11:object=tls", many), {
      message: /%09\) and 2 more; add id=/,
    });
  });

  test("there must be one, and private", () => {
    assert.throws(() => choose("pkcs11:token=a", []), { code: "HSM_KEY" });
    assert.throws(() => choose("pkcs11:type=cert", keys), {
      code: "HSM_KEY",
      message: /type=cert names no private key/,
    });
  });
});
