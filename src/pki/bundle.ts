import type { Engine } from "../crypto/engine.ts";
import { KeylessError } from "../errors/errors.ts";
import { quoted } from "../errors/printable.ts";
import {
  type Certificate,
  CERTIFICATE_LABELS,
  type CertificateRequest,
  parseCertificate,
  parseCertificateRequest,
  REQUEST_LABELS,
} from "./certificates.ts";
import { firstValue, shapeOf } from "./der_shape.ts";
import { derOf, type PemBlock, pemBlocks } from "./pem.ts";
import { readPkcs12 } from "./pkcs12.ts";
import { readPkcs7 } from "./pkcs7.ts";
import { type FoundKey, readPublicKeys } from "./public_keys.ts";

/** What a file holds of certificates and of what belongs to them; each list in its order. */
export interface Bundle {
  readonly certificates: readonly Certificate[];
  readonly requests: readonly CertificateRequest[];
  /** The public halves of private and public keys. */
  readonly keys: readonly FoundKey[];
  /**
   * What the file holds besides and cannot be read: "CERTIFICATE_FORMAT" for a certificate or a
   * request, other codes for a key.
   */
  readonly problems: readonly KeylessError[];
}

export interface BundleOptions {
  /** For private keys and PKCS#12; the caller owns and overwrites it. */
  readonly passphrase?: Uint8Array | undefined;
  /** Reads private keys; and PKCS#12, where it is libcrypto. */
  readonly engine?: Engine | undefined;
}

/**
 * Reads whatever holds certificates: PEM, also several blocks of several kinds; one certificate,
 * request or key as DER; PKCS#7; PKCS#12. Signatures and dates are not judged. Of a private key its
 * public half alone is kept.
 *
 * @param bytes the caller's, who overwrites them where they may hold a private key
 * @returns at least one certificate, request or key
 * @throws KeylessError "CERTIFICATE_FORMAT" where there is none; where nothing of what is there can
 *   be read, the first of the problems: "KEY_PASSPHRASE" for what is encrypted, "ENGINE_MISSING"
 *   for PKCS#12 without libcrypto
 */
export function readBundle(bytes: Uint8Array, options: BundleOptions = {}): Bundle {
  if (bytes.length === 0) throw nothing("it is empty");
  const bundle: Mutable = { certificates: [], requests: [], keys: [], problems: [] };
  const blocks = pemBlocks(bytes);
  if (blocks.length === 0) addDer(bundle, bytes, options);
  for (const [index, block] of blocks.entries()) addBlock(bundle, block, index + 1, options);
  const { certificates, requests, keys, problems } = bundle;
  if (certificates.length + requests.length + keys.length > 0) return bundle;
  const labels = blocks.map(({ label }) => quoted(label)).join(", ");
  throw problems[0] ?? nothing(blocks.length > 0 ? `it has PEM blocks ${labels}` : "it has none");
}

interface Mutable {
  readonly certificates: Certificate[];
  readonly requests: CertificateRequest[];
  readonly keys: FoundKey[];
  readonly problems: KeylessError[];
}

/** @param position of the block in its file, from 1 on */
function addBlock(
  bundle: Mutable,
  block: PemBlock,
  position: number,
  options: BundleOptions,
): void {
  try {
    addLabelled(bundle, block, options);
  } catch (thrown) {
    if (!(thrown instanceof KeylessError)) throw thrown;
    const message = `PEM block ${position} (${quoted(block.label)}): ${thrown.message}`;
    bundle.problems.push(new KeylessError(thrown.code, message, { cause: thrown }));
  }
}

/** Blocks of other kinds are passed over: parameters, revocation lists. */
function addLabelled(bundle: Mutable, block: PemBlock, options: BundleOptions): void {
  const { label } = block;
  if (CERTIFICATE_LABELS.has(label)) bundle.certificates.push(parseCertificate(derOf(block)));
  else if (label === OPENSSL_TRUSTED) {
    bundle.certificates.push(parseCertificate(firstValue(derOf(block))));
  } else if (REQUEST_LABELS.has(label)) {
    bundle.requests.push(parseCertificateRequest(derOf(block)));
  } else if (PKCS7_LABELS.has(label)) bundle.certificates.push(...readPkcs7(derOf(block)));
  else if (label.endsWith(" KEY")) bundle.keys.push(...readPublicKeys(block.bytes, options));
}

/** DER does not say what it is; the shapes of what is read here exclude one another. */
function addDer(bundle: Mutable, der: Uint8Array, options: BundleOptions): void {
  switch (shapeOf(der)) {
    case "pkcs7":
      bundle.certificates.push(...readPkcs7(der));
      break;
    case "pkcs12": {
      const { certificates, keys } = readPkcs12(der, options);
      bundle.certificates.push(...certificates);
      bundle.keys.push(...keys);
      break;
    }
    case "signed":
      addSigned(bundle, der);
      break;
    case "cut":
      throw nothing("it looks like DER that was cut short: get the whole file");
    case "other":
      addKey(bundle, der, options);
  }
}

/** Certificates and requests have one shape, and differ inside. */
function addSigned(bundle: Mutable, der: Uint8Array): void {
  try {
    bundle.certificates.push(parseCertificate(der));
  } catch (noCertificate) {
    try {
      bundle.requests.push(parseCertificateRequest(der));
    } catch {
      throw noCertificate;
    }
  }
}

function addKey(bundle: Mutable, der: Uint8Array, options: BundleOptions): void {
  try {
    bundle.keys.push(...readPublicKeys(der, options));
  } catch (cause) {
    if (!(cause instanceof KeylessError) || cause.code !== "KEY_FORMAT") throw cause;
    throw nothing("it is neither PEM nor DER of one", cause);
  }
}

function nothing(why: string, cause?: unknown): KeylessError {
  return new KeylessError(
    "CERTIFICATE_FORMAT",
    `no certificate, signing request or key in it: ${why}`,
    { cause },
  );
}

/** What the certificate is trusted for follows it. */
const OPENSSL_TRUSTED = "TRUSTED CERTIFICATE";
const PKCS7_LABELS: ReadonlySet<string> = new Set(["PKCS7", "PKCS #7 SIGNED DATA", "CMS"]);
