import { createHash } from "node:crypto";
import { RSAPublicKey } from "@peculiar/asn1-rsa";
import { AsnConvert } from "@peculiar/asn1-schema";
import { AlgorithmIdentifier, SubjectPublicKeyInfo } from "@peculiar/asn1-x509";
import { fromBER, ObjectIdentifier } from "asn1js";
import type { Engine } from "../crypto/engine.ts";
import { describePublicKey, keyLabel, type PublicKeyInfo } from "../crypto/public_key.ts";
import { KeylessError } from "../errors/errors.ts";
import { quoted } from "../errors/printable.ts";
import {
  CERTIFICATE_LABELS,
  parseCertificate,
  parseCertificateRequest,
  REQUEST_LABELS,
} from "./certificates.ts";
import { derOf, type PemBlock, pemBlocks } from "./pem.ts";

/** The public half of something that a file holds. */
export interface FoundKey {
  readonly source: "private key" | "public key" | "certificate" | "certificate request";
  /** Of certificates and requests, RFC 4514 text of any characters; else undefined. */
  readonly subject: string | undefined;
  /** "RSA 2048", "EC P-256", "Ed25519"; for what is not served, its name or object identifier. */
  readonly label: string;
  /** 20 bytes (RFC 5280 4.2.1.2, method 1). */
  readonly ski: Uint8Array;
  /** Undefined for a key that no engine serves. */
  readonly info: PublicKeyInfo | undefined;
}

export interface ReadOptions {
  /** Reads private keys; without one they are refused. */
  readonly engine?: Engine | undefined;
  /** For an encrypted private key. */
  readonly passphrase?: Uint8Array | undefined;
}

/**
 * Finds the public keys of a file: of a private key, of certificates, of signing requests, and bare
 * ones (SubjectPublicKeyInfo, PKCS#1). PEM may hold several; DER is one. Keys that no engine serves
 * are found too, except private ones.
 *
 * @returns at least one, in the file's order
 * @throws KeylessError "KEY_FORMAT" where there is none, or one that cannot be read;
 *   "CERTIFICATE_FORMAT" for a broken certificate or request; for private keys as `Engine.load`
 */
export function readPublicKeys(file: Uint8Array, options: ReadOptions): FoundKey[] {
  const blocks = pemBlocks(file);
  if (blocks.length === 0) return [readDer(file, options)];
  const found = blocks.flatMap((block) => readBlock(block, options) ?? []);
  if (found.length > 0) return found;
  const labels = blocks.map(({ label }) => quoted(label)).join(", ");
  throw new KeylessError("KEY_FORMAT", `${NOTHING_FOUND}; it has PEM blocks ${labels}`);
}

function readBlock(block: PemBlock, options: ReadOptions): FoundKey | undefined {
  const { label } = block;
  if (label.endsWith("PRIVATE KEY")) return readPrivateKey(block.bytes, options);
  if (CERTIFICATE_LABELS.has(label)) return readCertificate(derOf(block));
  if (REQUEST_LABELS.has(label)) return readRequest(derOf(block));
  if (label === "PUBLIC KEY") return readSpki(derOf(block));
  if (label === "RSA PUBLIC KEY") return readRsaPublicKey(derOf(block));
  return undefined;
}

/** DER does not say what it is: each kind is tried; their shapes exclude one another. */
function readDer(der: Uint8Array, options: ReadOptions): FoundKey {
  for (const read of [readCertificate, readRequest, readSpki, readRsaPublicKey]) {
    try {
      return read(der);
    } catch (thrown) {
      if (!(thrown instanceof KeylessError)) throw thrown;
    }
  }
  try {
    return readPrivateKey(der, options);
  } catch (cause) {
    if (!(cause instanceof KeylessError) || cause.code !== "KEY_FORMAT") throw cause;
    throw new KeylessError("KEY_FORMAT", NOTHING_FOUND, { cause });
  }
}

function readCertificate(der: Uint8Array): FoundKey {
  const { subject, spki } = parseCertificate(der);
  return { source: "certificate", subject, ...identify(spki) };
}

function readRequest(der: Uint8Array): FoundKey {
  const { subject, spki } = parseCertificateRequest(der);
  return { source: "certificate request", subject, ...identify(spki) };
}

function readSpki(der: Uint8Array): FoundKey {
  return { source: "public key", subject: undefined, ...identify(der) };
}

/** RFC 8017 A.1.1: what an RSA key's SubjectPublicKeyInfo wraps. */
function readRsaPublicKey(der: Uint8Array): FoundKey {
  try {
    AsnConvert.parse(der, RSAPublicKey);
  } catch (cause) {
    throw new KeylessError("KEY_FORMAT", "not an RSA public key that can be read", { cause });
  }
  const algorithm = new AlgorithmIdentifier({ algorithm: RSA_ENCRYPTION, parameters: null });
  const subjectPublicKey = new Uint8Array(der).buffer;
  const spki = AsnConvert.serialize(new SubjectPublicKeyInfo({ algorithm, subjectPublicKey }));
  return readSpki(new Uint8Array(spki));
}

function readPrivateKey(bytes: Uint8Array, { engine, passphrase }: ReadOptions): FoundKey {
  if (engine === undefined) {
    throw new KeylessError(
      "KEY_FORMAT",
      "it holds a private key; give the public half of it: openssl pkey -in FILE -pubout",
    );
  }
  const key = engine.load(bytes, { passphrase, allowWeak: true }); // it is not used to sign
  try {
    const { info } = key;
    const { ski } = info;
    return { source: "private key", subject: undefined, label: keyLabel(info), ski, info };
  } finally {
    engine.free(key);
  }
}

/**
 * What is told of a key by its public half, also of one that no engine serves.
 *
 * @param spki SubjectPublicKeyInfo, DER
 * @throws KeylessError "KEY_FORMAT"
 */
export function identify(spki: Uint8Array): Pick<FoundKey, "label" | "ski" | "info"> {
  try {
    const info = describePublicKey(spki);
    return { label: keyLabel(info), ski: info.ski, info };
  } catch (thrown) {
    if (!(thrown instanceof KeylessError) || thrown.code !== "KEY_UNSUPPORTED") throw thrown;
    const { algorithm, subjectPublicKey } = AsnConvert.parse(spki, SubjectPublicKeyInfo);
    const hash = createHash("sha1").update(new Uint8Array(subjectPublicKey));
    const ski = new Uint8Array(hash.digest());
    return { label: labelOf(algorithm), ski, info: undefined };
  }
}

function labelOf({ algorithm, parameters }: AlgorithmIdentifier): string {
  if (algorithm !== EC_PUBLIC_KEY) return NAMES[algorithm] ?? algorithm;
  const curve = parameters instanceof ArrayBuffer ? fromBER(parameters).result : undefined;
  if (!(curve instanceof ObjectIdentifier)) return "EC with explicit parameters";
  const identifier = curve.valueBlock.toString();
  return `EC ${NAMES[identifier] ?? identifier}`;
}

const NOTHING_FOUND = "it holds no key, certificate or signing request that can be read";

const RSA_ENCRYPTION = "1.2.840.113549.1.1.1";
const EC_PUBLIC_KEY = "1.2.840.10045.2.1";

/** Algorithms and curves that are met but not served. */
const NAMES: Readonly<Record<string, string>> = {
  "1.2.840.10040.4.1": "DSA",
  "1.2.840.113549.1.1.10": "RSASSA-PSS",
  "1.2.840.113549.1.3.1": "DH",
  "1.3.101.110": "X25519",
  "1.3.101.111": "X448",
  "1.3.101.113": "Ed448",
  "1.3.132.0.10": "secp256k1",
  "1.3.36.3.3.2.8.1.1.7": "brainpoolP256r1",
  "1.3.36.3.3.2.8.1.1.11": "brainpoolP384r1",
  "1.3.36.3.3.2.8.1.1.13": "brainpoolP512r1",
  "1.2.156.10197.1.301": "SM2",
};
