import { type AsnType, BitString, fromBER, Integer, ObjectIdentifier, Sequence } from "asn1js";

/**
 * What the outermost elements of DER (or BER) tell of it: "signed" is the shape of certificates and
 * of signing requests, a sequence of sequence, sequence and bit string; "cut" begins a sequence that
 * is longer than the bytes.
 */
export type Shape = "signed" | "pkcs7" | "pkcs12" | "cut" | "other";

/** Nothing below the outermost elements is looked at. */
export function shapeOf(der: Uint8Array): Shape {
  const parsed = parse(der);
  if (parsed === undefined) return isCut(der) ? "cut" : "other";
  const [first, second, third] = elementsOf(parsed.result);
  if (first instanceof ObjectIdentifier) {
    return first.valueBlock.toString() === PKCS7_SIGNED_DATA ? "pkcs7" : "other";
  }
  if (first instanceof Integer && second instanceof Sequence) {
    return first.valueBlock.valueDec === PKCS12_VERSION ? "pkcs12" : "other";
  }
  const isSigned = first instanceof Sequence && second instanceof Sequence &&
    third instanceof BitString;
  return isSigned ? "signed" : "other";
}

/** The first value of the bytes, without what follows it; all of them where they are no DER. */
export function firstValue(der: Uint8Array): Uint8Array {
  return der.subarray(0, parse(der)?.lengthBytes);
}

interface Parsed {
  readonly result: AsnType;
  readonly lengthBytes: number;
}

function parse(der: Uint8Array): Parsed | undefined {
  try {
    const { offset, result } = fromBER(der);
    return offset < 0 ? undefined : { result, lengthBytes: offset };
  } catch {
    return undefined; // nested deeper than the stack goes
  }
}

function elementsOf(value: AsnType): readonly unknown[] {
  return value instanceof Sequence ? value.valueBlock.value : [];
}

/** X.690 8.1.3: a sequence whose length, of two to four bytes, goes beyond the end. */
function isCut(der: Uint8Array): boolean {
  const [tag = 0, form = 0, ...rest] = der.subarray(0, 6);
  const count = form & 0x7f;
  if (tag !== SEQUENCE || form < 0x80 || count < 1 || count > 4) return false;
  const length = rest.slice(0, count).reduce((sum, byte) => sum * 256 + byte, 0);
  return length > der.length - 2 - count;
}

const SEQUENCE = 0x30;
const PKCS7_SIGNED_DATA = "1.2.840.113549.1.7.2";
const PKCS12_VERSION = 3;
