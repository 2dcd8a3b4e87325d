import { KeylessError } from "../errors/errors.ts";

/**
 * An ECDSA signature of a token, r and s beside each other, as a DER sequence of two integers.
 *
 * Sources: PKCS #11 mechanisms 2.40 section 2.3.1; RFC 3279 section 2.2.3.
 *
 * @param raw two numbers of equal length; of at most `fieldBytes` each
 * @throws KeylessError "SIGN_FAILED" for other bytes
 */
export function toDerSignature(raw: Uint8Array, fieldBytes: number): Uint8Array {
  const half = raw.length / 2;
  if (!Number.isInteger(half) || half === 0 || half > fieldBytes) {
    throw new KeylessError(
      "SIGN_FAILED",
      `the token gave ${raw.length} bytes for an ECDSA signature, not ${2 * fieldBytes}`,
    );
  }
  const r = derLength(raw, 0, half);
  const s = derLength(raw, half, raw.length);
  const lengthBytes = 4 + r + s;
  const isLong = lengthBytes >= 0x80; // P-521
  const der = new Uint8Array((isLong ? 3 : 2) + lengthBytes);
  let at = 0;
  der[at++] = SEQUENCE;
  if (isLong) der[at++] = 0x81;
  der[at++] = lengthBytes;
  at = writeInteger(der, at, r, raw.subarray(0, half));
  writeInteger(der, at, s, raw.subarray(half));
  return der;
}

/** Bytes of the integer without zeros at the beginning, but for one where the highest bit is set. */
function derLength(raw: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end - 1 && raw[at] === 0) at++;
  return end - at + (raw[at]! >= 0x80 ? 1 : 0);
}

/** @returns where the next one stands */
function writeInteger(der: Uint8Array, at: number, length: number, number: Uint8Array): number {
  der[at] = INTEGER;
  der[at + 1] = length;
  const end = at + 2 + length;
  const digits = number.subarray(Math.max(number.length - length, 0));
  der.set(digits, end - digits.length);
  return end;
}

const SEQUENCE = 0x30;
const INTEGER = 0x02;
