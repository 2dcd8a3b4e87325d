import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, test } from "node:test";
import fc from "fast-check";
import { CURVE_NAMES, type CurveName, CURVES } from "../../src/crypto/curves.ts";
import { describePublicKey } from "../../src/crypto/public_key.ts";
import { spkiOfAttributes } from "../../src/hsm/token_public_key.ts";
import { keyOf, publicKeyOf } from "../support/openssl.ts";

const OCTET_STRING = 0x04;
const BIT_STRING = 0x03;

/** DER of contents of up to 255 bytes. */
function element(tag: number, contents: Uint8Array): Buffer {
  const { length } = contents;
  return Buffer.concat([
    Buffer.from(length < 0x80 ? [tag, length] : [tag, 0x81, length]),
    contents,
  ]);
}

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

/** Points by their form alone: none need lie on the curve. */
const pointOn = (curve: CurveName) => {
  const coordinate = Math.ceil(CURVES[curve].bits / 8);
  return fc.oneof(
    bytes(2 * coordinate).map((rest) => Buffer.from([4, ...rest])),
    fc.tuple(fc.constantFrom(2, 3), bytes(coordinate)).map(([form, x]) =>
      Buffer.from([form, ...x])
    ),
  );
};

/** What a SubjectPublicKeyInfo of a single bit string ends with. */
const endOf = (spki: Uint8Array, length: number) => Buffer.from(spki.subarray(-length));

describe("the point of a token's public key", () => {
  for (const curve of CURVE_NAMES) {
    const ecParams = Buffer.from(CURVES[curve].parameters, "hex");

    test(`on ${curve} is read bare, and in either string that DER has`, () => {
      fc.assert(fc.property(pointOn(curve), (point) => {
        const wrapped = element(OCTET_STRING, point);
        const bits = element(BIT_STRING, Buffer.concat([Buffer.of(0), point]));
        for (const ecPoint of [point, wrapped, bits]) {
          const spki = spkiOfAttributes("ec", { ecParams, ecPoint })!;
          assert.equal(describePublicKey(spki).curve, curve);
          assert.deepEqual(endOf(spki, point.length), point);
        }
      }));
    });

    test(`on ${curve} is not read of a string that is too short for its value, or too long`, () => {
      fc.assert(fc.property(pointOn(curve), bytes(1), (point, more) => {
        const wrapped = element(OCTET_STRING, point);
        for (const ecPoint of [Buffer.concat([wrapped, more]), wrapped.subarray(0, -1)]) {
          const spki = spkiOfAttributes("ec", { ecParams, ecPoint })!;
          assert.throws(() => describePublicKey(spki), { code: "KEY_FORMAT" });
        }
      }));
    });
  }

  test("of Ed25519 is read bare, and in either string that DER has", () => {
    fc.assert(fc.property(bytes(32), (key) => {
      const bits = element(BIT_STRING, Buffer.concat([Buffer.of(0), key]));
      for (const ecPoint of [Buffer.from(key), element(OCTET_STRING, key), bits]) {
        const spki = spkiOfAttributes("ed25519", { ecPoint })!;
        assert.equal(describePublicKey(spki).type, "ed25519");
        assert.deepEqual(endOf(spki, 32), Buffer.from(key));
      }
    }));
  });
});

describe("a public key whose attributes are of no use", () => {
  const publicKeyInfo = Buffer.from(publicKeyOf(keyOf("P-256")));
  const ecParams = Buffer.from(CURVES["P-256"].parameters, "hex");

  test("is that of CKA_PUBLIC_KEY_INFO", () => {
    for (const params of [ecParams, Buffer.of(0x06, 0x99)]) {
      const attributes = { ecParams: params, ecPoint: Buffer.of(1, 2, 3), publicKeyInfo };
      assert.deepEqual(Buffer.from(spkiOfAttributes("ec", attributes)!), publicKeyInfo);
    }
  });

  test("is not known without that where nothing can be made of them", () => {
    const attributes = { ecParams: Buffer.of(0x06, 0x99), ecPoint: Buffer.of(1, 2, 3) };
    assert.equal(spkiOfAttributes("ec", attributes), undefined);
    assert.equal(spkiOfAttributes("rsa", { modulus: Buffer.of(1) }), undefined);
  });
});
