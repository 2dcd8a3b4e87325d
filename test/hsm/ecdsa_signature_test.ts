import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { AsnConvert } from "@peculiar/asn1-schema";
import { ECDSASigValue } from "@peculiar/asn1-ecc";
import fc from "fast-check";
import { fromHex, toHex } from "../../src/bytes/hex.ts";
import { toDerSignature } from "../../src/hsm/ecdsa_signature.ts";

const CASES: readonly (readonly [raw: string, fieldBytes: number, der: string])[] = [
  ["0102", 1, "3006020101020102"],
  ["8001", 1, "300702020080020101"],
  ["00010002", 2, "3006020101020102"],
  ["0080ffff", 2, "300902020080020300ffff"],
  ["0000", 1, "3006020100020100"],
];

describe("toDerSignature", () => {
  for (const [raw, fieldBytes, der] of CASES) {
    test(`writes ${raw} as ${der}`, () => {
      assert.equal(toHex(toDerSignature(fromHex(raw)!, fieldBytes)), der);
    });
  }

  test("writes what a parser of DER reads as the same numbers, also in the long form of P-521", () => {
    const numbers = fc.constantFrom(28, 32, 48, 66).chain((bytes) =>
      fc.uint8Array({ minLength: 2 * bytes, maxLength: 2 * bytes })
    );
    fc.assert(fc.property(numbers, (raw) => {
      const der = toDerSignature(raw, raw.length / 2);
      const { r, s } = AsnConvert.parse(der.slice().buffer, ECDSASigValue);
      assert.equal(
        BigInt(`0x${toHex(new Uint8Array(r))}`),
        numberOf(raw.subarray(0, raw.length / 2)),
      );
      assert.equal(BigInt(`0x${toHex(new Uint8Array(s))}`), numberOf(raw.subarray(raw.length / 2)));
      assert.deepEqual(new Uint8Array(AsnConvert.serialize(new ECDSASigValue({ r, s }))), der);
    }));
  });

  for (const [what, length] of [["nothing", 0], ["an odd length", 63], ["too much", 66]] as const) {
    test(`refuses ${what}`, () => {
      assert.throws(() => toDerSignature(new Uint8Array(length), 32), { code: "SIGN_FAILED" });
    });
  }
});

function numberOf(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(bytes)}`);
}
