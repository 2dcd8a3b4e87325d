import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, test } from "node:test";
import { fromBER } from "asn1js";
import fc from "fast-check";
import { KeylessError } from "../../src/errors/errors.ts";
import { Authority } from "../../src/pki/authority.ts";
import { parseCertificate, readCertificates } from "../../src/pki/certificates.ts";
import { readValidity } from "../../src/pki/times.ts";
import type { Validity } from "../../src/pki/validity.ts";
import { openssl } from "../support/openssl.ts";

/** The tags of UTCTime and of GeneralizedTime. */
const TAGS = { short: 0x17, long: 0x18 } as const;
type Form = keyof typeof TAGS;

/** As a certificate has it that ends at a time of this text. */
function validityOf(form: Form, text: string): Validity {
  const [number, empty] = [tlv(0x02, [1]), tlv(0x30, [])];
  const begin = tlv(TAGS.short, Buffer.from("260101000000Z"));
  const dates = tlv(0x30, [...begin, ...tlv(TAGS[form], Buffer.from(text, "latin1"))]);
  const tbs = tlv(0x30, [...number, ...empty, ...empty, ...dates]);
  return readValidity(fromBER(tlv(0x30, tbs)).result);
}

function tlv(tag: number, value: Iterable<number>): Uint8Array {
  const body = [...value];
  return Uint8Array.of(tag, body.length, ...body);
}

function refuses(form: Form, text: string): void {
  assert.throws(() => validityOf(form, text), (error) => {
    assert.ok(error instanceof KeylessError, String(error));
    assert.equal(error.code, "CERTIFICATE_FORMAT");
    assert.match(error.message, /its notAfter is no time \(RFC 5280 4\.1\.2\.5\) but "/);
    return true;
  });
}

describe("readValidity", () => {
  for (
    const [form, text, date] of [
      ["short", "500101000000Z", "1950-01-01T00:00:00Z"],
      ["short", "491231235959Z", "2049-12-31T23:59:59Z"],
      ["short", "240229120000Z", "2024-02-29T12:00:00Z"],
      ["long", "20500101000000Z", "2050-01-01T00:00:00Z"],
      ["long", "20260102030405Z", "2026-01-02T03:04:05Z"],
      ["long", "99991231235959Z", "9999-12-31T23:59:59Z"],
    ] as const
  ) {
    test(`takes ${text} for ${date}`, () => {
      assert.deepEqual(validityOf(form, text).notAfter, new Date(date));
    });
  }

  for (
    const [form, texts] of [
      ["short", [
        ...["", "xxxxxxxxxxxxx", "2601020304Z", "260102030405", "260102030405+0000"],
        ...["20260102030405Z", "260102030405z", "-60102030405Z", "26010203040 Z"],
      ]],
      ["long", ["260102030405Z", "20260102030405", "20260102030405.5Z", "20260102030405+0000"]],
    ] as const
  ) {
    for (const text of texts) {
      test(`refuses the ${form} form ${JSON.stringify(text)}`, () => refuses(form, text));
    }
  }

  for (
    const rest of ["1301000000Z", "0001000000Z", "0100000000Z", "0230000000Z", "0229000000Z"]
      .concat("0101240000Z", "0101006000Z", "0101000060Z")
  ) {
    test(`refuses ${rest} of a year, which has none`, () => {
      refuses("short", `26${rest}`);
      refuses("long", `2026${rest}`);
    });
  }

  test("gives the second that was written, of any year", () => {
    const dates = fc.date({ min: new Date("0000-01-01T00:00:00Z"), noInvalidDate: true });
    fc.assert(fc.property(dates, (date) => {
      fc.pre(date.getUTCFullYear() <= 9_999);
      date.setUTCMilliseconds(0);
      const text = date.toISOString().replace(/\.000|[-:T]/g, "");
      assert.deepEqual(validityOf("long", text).notAfter, date);
      const year = date.getUTCFullYear();
      if (year < 1950 || year > 2049) return;
      assert.deepEqual(validityOf("short", text.slice(2)).notAfter, date);
    }));
  });

  test("gives of any other text nothing but the typed error", () => {
    const characters = fc.constantFrom(..."00112345 6789Zzx+-.\0");
    const texts = fc.string({ unit: characters, minLength: 11, maxLength: 14 });
    fc.assert(fc.property(fc.oneof(texts, texts.map((text) => `${text.slice(1)}Z`)), (text) => {
      let date: Date;
      try {
        date = validityOf("short", text).notAfter;
      } catch (error) {
        assert.ok(error instanceof KeylessError, String(error));
        return;
      }
      assert.equal(date.toISOString().slice(2).replace(/\.000|[-:T]/g, ""), text);
    }));
  });
});

test("a certificate whose dates OpenSSL cannot read is refused", async () => {
  const notBefore = new Date("2026-11-20T14:03:33Z");
  const { certificatePem } = await Authority.create("authority", { notBefore });
  const [{ der }] = readCertificates(Buffer.from(certificatePem));
  const at = Buffer.from(der).indexOf("261120140333Z");
  assert.ok(at > 0);
  for (const text of ["xxxxxxxxxxxxx", "261320140333Z", "260230140333Z", "261120140333z"]) {
    const changed = Buffer.from(der);
    changed.write(text, at, "latin1");
    const shown = openssl(["x509", "-inform", "DER", "-noout", "-startdate"], changed);
    assert.match(new TextDecoder().decode(shown), /Bad time value/, text);
    assert.throws(() => parseCertificate(changed), { code: "CERTIFICATE_FORMAT" }, text);
  }
});
