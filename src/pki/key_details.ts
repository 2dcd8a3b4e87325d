import { RSAPublicKey } from "@peculiar/asn1-rsa";
import { AsnConvert } from "@peculiar/asn1-schema";
import { SubjectPublicKeyInfo } from "@peculiar/asn1-x509";
import { toHex } from "../bytes/hex.ts";
import type { CurveName } from "../crypto/curves.ts";
import { identify } from "./public_keys.ts";

/** The public key of a certificate or a request, also of a kind that no engine serves. */
export interface KeyDetails {
  /** "RSA 2048", "EC P-256", "Ed25519", "RSASSA-PSS 2048"; an object identifier if need be. */
  readonly label: string;
  /** "rsa", "ec", "ed25519"; of a key that is not served, what it is called. */
  readonly type: string;
  /** Undefined where they are not known; of an EC key that is not served, in whole bytes. */
  readonly bits: number | undefined;
  /** Of EC keys that are served. */
  readonly curve: CurveName | undefined;
  /** As requests name the key: SHA-1 of the SubjectPublicKey's bits, 20 bytes. */
  readonly ski: Uint8Array;
}

/**
 * @param spki SubjectPublicKeyInfo, DER, of a certificate that was parsed before
 * @throws KeylessError "KEY_FORMAT" for a key that is damaged
 */
export function describeKey(spki: Uint8Array): KeyDetails {
  const { label, ski, info } = identify(spki);
  if (info !== undefined) {
    return { label, type: info.type, bits: info.bits, curve: info.curve, ski };
  }
  if (label === RSA_PSS) {
    const bits = modulusBits(spki);
    return { label: `${label} ${bits}`, type: label, bits, curve: undefined, ski };
  }
  const bits = label.startsWith("EC ") ? fieldBits(spki) : undefined;
  return { label, type: label, bits, curve: undefined, ski };
}

function modulusBits(spki: Uint8Array): number {
  const { subjectPublicKey } = AsnConvert.parse(spki, SubjectPublicKeyInfo);
  const { modulus } = AsnConvert.parse(subjectPublicKey, RSAPublicKey);
  return BigInt(`0x${toHex(new Uint8Array(modulus))}`).toString(2).length;
}

/** Of an EC key, by the length of its point (SEC 1 section 2.3.3). */
function fieldBits(spki: Uint8Array): number {
  const { subjectPublicKey } = AsnConvert.parse(spki, SubjectPublicKeyInfo);
  const [form, ...coordinates] = new Uint8Array(subjectPublicKey);
  return coordinates.length * 8 / (form === UNCOMPRESSED ? 2 : 1);
}

const RSA_PSS = "RSASSA-PSS";
const UNCOMPRESSED = 0x04;
