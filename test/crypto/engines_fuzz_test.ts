import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { Engine, LoadedKey } from "../../src/crypto/engine.ts";
import { selectEngine } from "../../src/crypto/select_engine.ts";
import { defaultScheme, digestOf, verifySignature } from "../../src/crypto/verify.ts";
import { KeylessError } from "../../src/errors/errors.ts";
import type { ErrorCode } from "../../src/errors/table.ts";
import { ENCODINGS, keyOf } from "../support/openssl.ts";

const CODES: readonly ErrorCode[] = [
  "KEY_FORMAT",
  "KEY_PASSPHRASE",
  "KEY_WEAK",
  "KEY_UNSUPPORTED",
];
const RUNS = 300;
const LIMIT = { timeout: 60_000 };

/** Real key files; without a passphrase, so that no flipped byte asks for years of derivation. */
const FILES = (["RSA 2048", "P-256", "Ed25519"] as const).flatMap((kind) =>
  (["PKCS#8 PEM", "PKCS#8 DER", "PBES2 AES-256 PEM", "PBES2 AES-256 DER"] as const)
    .map((encoding) => ENCODINGS[encoding](keyOf(kind)))
).concat(
  (["traditional PEM", "traditional DER", "legacy encrypted PEM"] as const)
    .flatMap((encoding) => [keyOf("RSA 2048"), keyOf("P-256")].map(ENCODINGS[encoding])),
);

const EDIT = fc.oneof(
  fc.record({ at: fc.nat(), bit: fc.integer({ min: 0, max: 7 }) }).map(
    ({ at, bit }) => (bytes: Uint8Array) =>
      bytes.map((byte, index) => index === at % bytes.length ? byte ^ (1 << bit) : byte),
  ),
  fc.nat().map((at) => (bytes: Uint8Array) => bytes.subarray(0, at % bytes.length)),
  fc.record({ at: fc.nat(), length: fc.nat(8) }).map(({ at, length }) => (bytes: Uint8Array) => {
    const from = at % bytes.length;
    return new Uint8Array([...bytes.subarray(0, from), ...bytes.subarray(from + length)]);
  }),
);

for (const engine of [selectEngine("libcrypto"), selectEngine("portable")]) {
  describe(`${engine.name}: load gives a key or an error of its own`, () => {
    test("for any bytes", LIMIT, () => {
      fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => check(engine, bytes)), {
        numRuns: RUNS,
      });
    });

    test("for any body of a PEM block", LIMIT, () => {
      const labels = ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY"];
      const property = fc.property(
        fc.constantFrom(...labels),
        fc.base64String({ maxLength: 200 }),
        (label, body) => {
          const pem = `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`;
          check(engine, new TextEncoder().encode(pem));
        },
      );
      fc.assert(property, { numRuns: RUNS });
    });

    test("for damaged keys, and what it loads signs right", LIMIT, () => {
      const property = fc.property(
        fc.constantFrom(...FILES),
        fc.array(EDIT, { minLength: 1, maxLength: 3 }),
        (file, edits) => {
          let bytes = file;
          for (const edit of edits) bytes = bytes.length === 0 ? bytes : edit(bytes);
          check(engine, bytes);
        },
      );
      fc.assert(property, { numRuns: RUNS });
    });
  });
}

function check(engine: Engine, bytes: Uint8Array): void {
  let key: LoadedKey;
  try {
    key = engine.load(bytes);
  } catch (error) {
    assert.ok(error instanceof KeylessError, `${error}`);
    assert.ok(CODES.includes(error.code), error.code);
    return;
  }
  const scheme = defaultScheme(key.info);
  const message = new Uint8Array(8);
  const signature = engine.sign(key, scheme, digestOf(scheme, message));
  assert.ok(verifySignature(key.info, scheme, message, signature));
  engine.free(key);
}
