import { Buffer } from "node:buffer";
import { RSAPublicKey } from "@peculiar/asn1-rsa";
import { AsnConvert } from "@peculiar/asn1-schema";
import { AlgorithmIdentifier, Certificate, SubjectPublicKeyInfo } from "@peculiar/asn1-x509";
import { toHex } from "../bytes/hex.ts";
import { curveOf, CURVES } from "../crypto/curves.ts";
import { describePublicKey } from "../crypto/public_key.ts";
import type { KeyType } from "../crypto/scheme.ts";
import type { AttributeName, Attributes } from "./objects.ts";

/** What tells a public key: of its object, or of the private one where that reveals as much. */
export const HALF_ATTRIBUTES = {
  rsa: ["modulus", "publicExponent", "publicKeyInfo"],
  ec: ["ecParams", "ecPoint", "publicKeyInfo"],
  ed25519: ["ecPoint", "publicKeyInfo"],
} as const satisfies Record<KeyType, readonly AttributeName[]>;

/** Key types of PKCS#11 that a server signs with, by their number (pkcs11t.h). */
export const KEY_TYPES: ReadonlyMap<number, KeyType> = new Map([
  [0x00, "rsa"],
  [0x03, "ec"],
  [0x40, "ed25519"],
]);

/** SubjectPublicKeyInfo of an object's attributes, DER; undefined where they do not suffice. */
export function spkiOfAttributes(
  type: KeyType,
  attributes: Partial<Attributes<AttributeName>>,
): Uint8Array | undefined {
  const { publicKeyInfo } = attributes;
  const told = publicKeyInfo?.length ? new Uint8Array(publicKeyInfo) : undefined;
  try {
    const composed = compose(type, attributes);
    return composed !== undefined && typeOfSpki(composed) === type ? composed : told ?? composed;
  } catch { // parameters that are no DER
    return told;
  }
}

function compose(
  type: KeyType,
  { modulus, publicExponent, ecParams, ecPoint }: Partial<Attributes<AttributeName>>,
): Uint8Array | undefined {
  if (type === "rsa") {
    if (!modulus?.length || !publicExponent?.length) return undefined;
    const key = new RSAPublicKey({
      modulus: unsigned(modulus),
      publicExponent: unsigned(publicExponent),
    });
    return spki(RSA_ENCRYPTION, new Uint8Array([0x05, 0x00]).buffer, AsnConvert.serialize(key));
  }
  if (!ecPoint?.length) return undefined;
  if (type === "ed25519") return spki(ED25519, undefined, keyIn(ecPoint, isEdwardsPoint));
  if (!ecParams?.length) return undefined;
  return spki(EC_PUBLIC_KEY, copyOf(ecParams), keyIn(ecPoint, pointCheck(ecParams)));
}

/** SubjectPublicKeyInfo of a certificate, DER; undefined where that cannot be read. */
export function spkiOfCertificate(der: Uint8Array): Uint8Array | undefined {
  try {
    const { tbsCertificate } = AsnConvert.parse(copyOf(der), Certificate);
    return new Uint8Array(AsnConvert.serialize(tbsCertificate.subjectPublicKeyInfo));
  } catch {
    return undefined;
  }
}

/** The type of the key in a SubjectPublicKeyInfo; undefined where it is none that can be served. */
export function typeOfSpki(spki: Uint8Array): KeyType | undefined {
  try {
    return describePublicKey(spki).type;
  } catch {
    return undefined;
  }
}

/**
 * The point in a CKA_EC_POINT: PKCS #11 wants an octet string in DER around it, for Edwards curves 3.0
 * a bit string; some tokens give it bare, and then its first byte may look like that of either.
 *
 * Sources: PKCS #11 mechanisms 2.40 section 2.3.3; 3.0 section 2.3.5.
 */
function keyIn(value: Buffer, isPoint: (bytes: Uint8Array) => boolean): ArrayBuffer {
  const forms = [
    value,
    contentsOf(OCTET_STRING, value),
    contentsOf(BIT_STRING, value)?.subarray(1),
  ];
  return copyOf(forms.find((form) => form !== undefined && isPoint(form)) ?? value);
}

/** The contents of an element in DER that ends where the value ends. */
function contentsOf(tag: number, value: Uint8Array): Uint8Array | undefined {
  if (value[0] !== tag) return undefined;
  const start = value[1] === 0x81 ? 3 : 2; // no point is longer
  return value[start - 1] === value.length - start ? value.subarray(start) : undefined;
}

function isEdwardsPoint(bytes: Uint8Array): boolean {
  return bytes.length === ED25519_BYTES;
}

/** SEC 1 section 2.3.3: uncompressed or compressed. Any length will do on a curve that is not known. */
function pointCheck(parameters: Uint8Array): (bytes: Uint8Array) => boolean {
  const curve = curveOf(toHex(parameters));
  if (curve === undefined) return () => true;
  const coordinate = Math.ceil(CURVES[curve].bits / 8);
  return ({ 0: form, length }) =>
    form === 0x04
      ? length === 1 + 2 * coordinate
      : (form === 0x02 || form === 0x03) && length === 1 + coordinate;
}

function spki(algorithm: string, parameters: ArrayBuffer | undefined, key: ArrayBuffer) {
  const identifier = new AlgorithmIdentifier({
    algorithm,
    ...(parameters === undefined ? {} : { parameters }),
  });
  const info = new SubjectPublicKeyInfo({ algorithm: identifier, subjectPublicKey: key });
  return new Uint8Array(AsnConvert.serialize(info));
}

/** PKCS #11's big integers have no sign; DER's have. */
function unsigned(value: Uint8Array): ArrayBuffer {
  const firstUsed = Math.max(value.findIndex((byte) => byte !== 0), 0);
  const used = value.subarray(firstUsed);
  return copyOf(used[0]! >= 0x80 ? Buffer.concat([Buffer.of(0), used]) : used);
}

function copyOf(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}

const OCTET_STRING = 0x04;
const BIT_STRING = 0x03;
const RSA_ENCRYPTION = "1.2.840.113549.1.1.1";
const EC_PUBLIC_KEY = "1.2.840.10045.2.1";
const ED25519 = "1.3.101.112";
const ED25519_BYTES = 32;
