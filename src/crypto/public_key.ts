import { createHash } from "node:crypto";
import { RSAPublicKey } from "@peculiar/asn1-rsa";
import { AsnConvert, AsnParser } from "@peculiar/asn1-schema";
import { SubjectPublicKeyInfo } from "@peculiar/asn1-x509";
import { fromBER } from "asn1js";
import { fromHex, toHex } from "../bytes/hex.ts";
import { KeylessError } from "../errors/errors.ts";
import { CURVE_NAMES, type CurveName, curveOf, CURVES } from "./curves.ts";
import type { KeyType } from "./scheme.ts";

/** What an engine must know of a key to compute with it. */
export interface KeyShape {
  readonly type: KeyType;
  /** RSA: of the modulus; EC: of the field; Ed25519: 256. */
  readonly bits: number;
}

/** What can be told of a key from its public half. */
export interface PublicKeyInfo extends KeyShape {
  /** Undefined for keys that are not EC. */
  readonly curve: CurveName | undefined;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
  /** SHA-1 of what the SubjectPublicKey bit string holds: 20 bytes (RFC 5280 4.2.1.2, method 1). */
  readonly ski: Uint8Array;
  /** RSA: SHA-256 of the modulus in upper-case hexadecimal, 32 bytes; else undefined. */
  readonly digest: Uint8Array | undefined;
}

/**
 * Describes a public key by its bytes alone: whether a point lies on its curve is not computed.
 *
 * @param spki SubjectPublicKeyInfo, DER (RFC 5280 4.1.2.7); kept in the result, not copied
 * @throws KeylessError "KEY_FORMAT" for bytes that are none, "KEY_UNSUPPORTED" for a key that is
 *   neither RSA, nor Ed25519, nor EC on one of `CURVES`
 */
export function describePublicKey(spki: Uint8Array): PublicKeyInfo {
  const usual = USUAL_FORMS.find((form) => isOfForm(spki, form));
  if (usual !== undefined) {
    const { shape, keyStart } = usual;
    return { ...shape, spki, ski: sha("sha1", spki.subarray(keyStart)), digest: undefined };
  }
  const { algorithm, subjectPublicKey } = parseSpki(spki);
  const key = new Uint8Array(subjectPublicKey);
  const ski = sha("sha1", key);
  switch (algorithm.algorithm) {
    case RSA_ENCRYPTION: {
      const modulus = modulusOf(subjectPublicKey);
      const bits = modulus.length * 4 - Math.clz32(parseInt(modulus[0]!, 16)) + 28;
      return { type: "rsa", bits, curve: undefined, spki, ski, digest: sha("sha256", modulus) };
    }
    case EC_PUBLIC_KEY: {
      const curve = curveOfKey(algorithm.parameters);
      checkPoint(key, curve);
      return { type: "ec", bits: CURVES[curve].bits, curve, spki, ski, digest: undefined };
    }
    case ED25519:
      if (key.length !== ED25519_BYTES) throw notPublic(`an Ed25519 key of ${key.length} bytes`);
      return { type: "ed25519", bits: 256, curve: undefined, spki, ski, digest: undefined };
    default:
      throw unsupportedKey(ALGORITHM_NAMES.get(algorithm.algorithm) ?? algorithm.algorithm);
  }
}

/**
 * The modulus of an RSA key, without zeros at the beginning.
 *
 * @param spki SubjectPublicKeyInfo, DER, of an RSA key
 * @throws KeylessError "KEY_FORMAT" for other bytes
 */
export function rsaModulus(spki: Uint8Array): Uint8Array {
  const digits = modulusOf(parseSpki(spki).subjectPublicKey);
  return fromHex((digits.length % 2 === 0 ? "" : "0") + digits)!;
}

/** A key's kind and size as people say it: "RSA 2048", "EC P-256", "Ed25519". */
export function keyLabel({ type, bits }: KeyShape): string {
  switch (type) {
    case "rsa":
      return `RSA ${bits}`;
    case "ec":
      return `EC P-${bits}`;
    case "ed25519":
      return "Ed25519";
  }
}

/** The error for a key of a kind that no engine serves; `what` begins the sentence. */
export function unsupportedKey(what: string): KeylessError {
  return new KeylessError(
    "KEY_UNSUPPORTED",
    `${what} is not supported; use RSA, Ed25519, or EC on ${CURVE_NAMES.join(", ")}`,
  );
}

function parseSpki(spki: Uint8Array): SubjectPublicKeyInfo {
  try {
    const { offset, result } = fromBER(spki);
    if (offset !== spki.length) throw new Error("bytes are left over or missing");
    return AsnParser.fromASN(result, SubjectPublicKeyInfo);
  } catch (error) {
    throw notPublic("no SubjectPublicKeyInfo", error);
  }
}

/** Upper-case digits without leading zeros: the form whose hash is a key's certificate digest. */
function modulusOf(subjectPublicKey: ArrayBuffer): string {
  let modulus: Uint8Array;
  try {
    modulus = new Uint8Array(AsnConvert.parse(subjectPublicKey, RSAPublicKey).modulus);
  } catch (error) {
    throw notPublic("no RSAPublicKey inside", error);
  }
  const digits = toHex(modulus).toUpperCase().replace(/^0+/, "");
  const isNegative = modulus.length > 0 && modulus[0]! >= 0x80;
  if (digits === "" || isNegative) throw notPublic("an RSA modulus that is not above zero");
  return digits;
}

function curveOfKey(parameters: ArrayBuffer | null | undefined): CurveName {
  const der = new Uint8Array(parameters ?? new ArrayBuffer(0));
  const curve = curveOf(toHex(der));
  if (curve !== undefined) return curve;
  throw unsupportedKey(
    der[0] === OBJECT_IDENTIFIER
      ? "an EC key on another curve"
      : "an EC key whose curve is spelled out instead of named",
  );
}

/** SEC 1 section 2.3.3: uncompressed or compressed. */
function checkPoint(point: Uint8Array, curve: CurveName): void {
  const coordinate = Math.ceil(CURVES[curve].bits / 8);
  const wanted = point[0] === 0x04
    ? 1 + 2 * coordinate
    : point[0] === 0x02 || point[0] === 0x03
    ? 1 + coordinate
    : undefined;
  if (point.length !== wanted) throw notPublic(`no point of ${curve} inside`);
}

function sha(name: "sha1" | "sha256", bytes: Uint8Array | string): Uint8Array {
  return new Uint8Array(createHash(name).update(bytes).digest());
}

function notPublic(why: string, cause?: unknown): KeylessError {
  return new KeylessError("KEY_FORMAT", `not a public key that can be read: ${why}`, { cause });
}

/** A SubjectPublicKeyInfo that is a header and a key, both of fixed length. */
interface UsualForm {
  readonly shape: Pick<PublicKeyInfo, "type" | "bits" | "curve">;
  readonly header: Uint8Array;
  /** Where the contents of the bit string begin. */
  readonly keyStart: number;
  readonly lengthBytes: number;
}

function isOfForm(spki: Uint8Array, { header, lengthBytes }: UsualForm): boolean {
  if (spki.length !== lengthBytes) return false;
  for (let at = 0; at < header.length; at++) {
    if (spki[at] !== header[at]) return false;
  }
  return true;
}

/** @param algorithm the members of the AlgorithmIdentifier; @param prefix how the key begins */
function usualForm(
  shape: UsualForm["shape"],
  algorithm: string,
  prefix: string,
  keyBytes: number,
): UsualForm {
  const key = `00${prefix}`.padEnd(2 + 2 * keyBytes, "0");
  const der = fromHex(tlv(0x30, tlv(0x30, algorithm) + tlv(0x03, key)))!;
  const keyStart = der.length - keyBytes;
  const header = der.subarray(0, keyStart + prefix.length / 2);
  return { shape, header, keyStart, lengthBytes: der.length };
}

/** DER of up to 255 bytes of contents, all in hexadecimal. */
function tlv(tag: number, contents: string): string {
  const lengthBytes = contents.length / 2;
  return toHex(Uint8Array.of(tag, ...(lengthBytes < 0x80 ? [] : [0x81]), lengthBytes)) + contents;
}

const RSA_ENCRYPTION = "1.2.840.113549.1.1.1";
const EC_PUBLIC_KEY = "1.2.840.10045.2.1";
const ED25519 = "1.3.101.112";
const ED25519_BYTES = 32;
const OBJECT_IDENTIFIER = 0x06;

/** Keys that are met but not served, by the name that people know them by. */
const ALGORITHM_NAMES: ReadonlyMap<string, string> = new Map([
  ["1.2.840.113549.1.1.10", "an RSA key restricted to PSS (id-RSASSA-PSS)"],
  ["1.2.840.10040.4.1", "a DSA key"],
  ["1.3.101.110", "an X25519 key"],
  ["1.3.101.111", "an X448 key"],
  ["1.3.101.113", "an Ed448 key"],
]);

/**
 * What 100,000 keys are told by in a second; a parser of ASN.1 takes 70 µs for each. EC keys have an
 * uncompressed point. What is not quite of such a form is left to the parser.
 */
const USUAL_FORMS: readonly UsualForm[] = [
  ...CURVE_NAMES.map((curve) => {
    const { bits, parameters } = CURVES[curve];
    const pointBytes = 1 + 2 * Math.ceil(bits / 8);
    return usualForm(
      { type: "ec", bits, curve },
      `06072a8648ce3d0201${parameters}`,
      "04",
      pointBytes,
    );
  }),
  usualForm({ type: "ed25519", bits: 256, curve: undefined }, "06032b6570", "", ED25519_BYTES),
];
