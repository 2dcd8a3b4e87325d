import { type AsnType, fromBER } from "asn1js";
import { KeylessError } from "../errors/errors.ts";
import { derOf, pemBlocks } from "./pem.ts";
import { readValidity } from "./times.ts";
import type { Validity } from "./validity.ts";
import { x509 } from "./x509.ts";

/** What is read of a certificate. */
export interface Certificate extends Validity {
  /** RFC 4514 text, "CN=leaf, O=Example"; may be empty, and may hold any character. */
  readonly subject: string;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
  /** The whole certificate. */
  readonly der: Uint8Array;
}

/** What is read of a certificate signing request. */
export type CertificateRequest = Pick<Certificate, "subject" | "spki" | "der">;

/**
 * Reads the certificates of a file: PEM, one or several, or one as DER. Signatures and dates are
 * not judged.
 *
 * @returns at least one, in the file's order
 * @throws KeylessError "CERTIFICATE_FORMAT" where there is none, or one that cannot be read
 */
export function readCertificates(file: Uint8Array): [Certificate, ...Certificate[]] {
  const blocks = pemBlocks(file).filter(({ label }) => CERTIFICATE_LABELS.has(label));
  const [first, ...others] = blocks.map((block) => parseCertificate(derOf(block)));
  return first === undefined ? [parseCertificate(file)] : [first, ...others];
}

/** @throws KeylessError "CERTIFICATE_FORMAT" */
export function parseCertificate(der: Uint8Array): Certificate {
  return parse("certificate", der, (bytes, syntax) => {
    const { subject, publicKey } = new x509.X509Certificate(bytes);
    const spki = new Uint8Array(publicKey.rawData);
    return { subject, ...readValidity(syntax), spki, der: bytes };
  });
}

/**
 * Reads a PKCS#10 request (RFC 2986); its signature is not verified.
 *
 * @throws KeylessError "CERTIFICATE_FORMAT"
 */
export function parseCertificateRequest(der: Uint8Array): CertificateRequest {
  return parse("certificate signing request", der, (bytes) => {
    const { subject, publicKey } = new x509.Pkcs10CertificateRequest(bytes);
    return { subject, spki: new Uint8Array(publicKey.rawData), der: bytes };
  });
}

export const CERTIFICATE_LABELS: ReadonlySet<string> = new Set(["CERTIFICATE", "X509 CERTIFICATE"]);
export const REQUEST_LABELS: ReadonlySet<string> = new Set([
  "CERTIFICATE REQUEST",
  "NEW CERTIFICATE REQUEST",
]);

function parse<T>(
  what: string,
  der: Uint8Array,
  read: (der: Uint8Array<ArrayBuffer>, syntax: AsnType) => T,
): T {
  let why = "it is not DER";
  try {
    const { offset, result } = fromBER(der);
    // the library takes other encodings for DER too, and overlooks what follows the value
    if (der[0] !== SEQUENCE || offset !== der.length) throw new Error(why);
    why = "its DER is damaged, or something else";
    return read(new Uint8Array(der), result);
  } catch (cause) {
    if (cause instanceof KeylessError) throw cause;
    throw new KeylessError("CERTIFICATE_FORMAT", `not a ${what} that can be read: ${why}`, {
      cause,
    });
  }
}

const SEQUENCE = 0x30;
