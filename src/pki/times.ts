import { type AsnType, GeneralizedTime, Sequence, UTCTime } from "asn1js";
import { KeylessError } from "../errors/errors.ts";
import { quoted } from "../errors/printable.ts";
import type { Validity } from "./validity.ts";

/**
 * When a certificate begins and ends. Strict, for asn1js makes a date of any text: month 13 becomes
 * January, and "xxxxxxxxxxxxx" the year 1899.
 *
 * Source: RFC 5280 4.1.2.5; a GeneralizedTime before 2050, which it does not allow, is taken too.
 *
 * @param certificate the whole of it
 * @throws KeylessError "CERTIFICATE_FORMAT"
 */
export function readValidity(certificate: AsnType): Validity {
  const [tbs] = elementsOf(certificate);
  const fields = elementsOf(tbs);
  // before the serial number, signature algorithm and issuer, there may stand a version
  const hasVersion = fields[0]?.idBlock.tagClass === CONTEXT_SPECIFIC;
  const [notBefore, notAfter] = elementsOf(fields[hasVersion ? 4 : 3]);
  return {
    notBefore: readTime(notBefore, "notBefore"),
    notAfter: readTime(notAfter, "notAfter"),
  };
}

const CONTEXT_SPECIFIC = 3;

function elementsOf(value: AsnType | undefined): readonly AsnType[] {
  return value instanceof Sequence ? value.valueBlock.value : [];
}

function readTime(value: AsnType | undefined, name: string): Date {
  if (!(value instanceof UTCTime)) throw noTime(name, "something else");
  const text = new TextDecoder("latin1").decode(value.valueBlock.valueHexView);
  const isLong = value instanceof GeneralizedTime;
  const digits = (isLong ? LONG_FORM : SHORT_FORM).exec(text)?.[1];
  if (digits === undefined) throw noTime(name, quoted(text));
  const all = isLong ? digits : `${digits < FIRST_SHORT_YEAR ? "20" : "19"}${digits}`;
  const iso = all.replace(/(....)(..)(..)(..)(..)(..)/, "$1-$2-$3T$4:$5:$6.000Z");
  const date = new Date(iso);
  // there is no 30th of February, though Date makes it the second of March
  if (Number.isNaN(date.getTime()) || date.toISOString() !== iso) throw noTime(name, quoted(text));
  return date;
}

/** UTCTime and GeneralizedTime; the former's years begin with 1950. */
const SHORT_FORM = /^(\d{12})Z$/;
const LONG_FORM = /^(\d{14})Z$/;
const FIRST_SHORT_YEAR = "50";

function noTime(name: string, what: string): KeylessError {
  return new KeylessError(
    "CERTIFICATE_FORMAT",
    `not a certificate that can be read: its ${name} is no time (RFC 5280 4.1.2.5) but ${what}`,
  );
}
