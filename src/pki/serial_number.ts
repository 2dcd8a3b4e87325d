import { toHex } from "../bytes/hex.ts";

/** A serial number (RFC 5280 4.1.2.2), which should be positive and of 20 bytes at most. */
export interface SerialNumber {
  /** In lower case, as long as it is encoded; of a negative one as OpenSSL: "-7f". */
  readonly hex: string;
  /** Undefined where it is so long that this would take long. */
  readonly decimal: string | undefined;
  readonly isPositive: boolean;
}

/** @param bytes what the INTEGER holds: two's complement, big-endian */
export function readSerialNumber(bytes: Uint8Array): SerialNumber {
  const digits = toHex(bytes);
  if (bytes.length > MAX_DECIMAL_BYTES) {
    return { hex: digits, decimal: undefined, isPositive: bytes[0]! < 0x80 };
  }
  const value = BigInt.asIntN(bytes.length * 8, BigInt(`0x${digits || "0"}`));
  const magnitude = (value < 0n ? -value : value).toString(16);
  const hex = magnitude.padStart(magnitude.length + magnitude.length % 2, "0");
  return { hex: value < 0n ? `-${hex}` : hex, decimal: value.toString(), isPositive: value > 0n };
}

const MAX_DECIMAL_BYTES = 256;
