import { Buffer } from "node:buffer";
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { createSecureContext, type SecureContext } from "node:tls";
import { KeylessError, messageOf } from "../errors/errors.ts";

/** PEM: text, or the bytes of a file. */
export type Pem = string | Uint8Array;

/** What a client proves itself with, and whom it trusts. */
export interface CredentialPems {
  /** The client's certificate, then the intermediates up to its authority if there are any. */
  readonly certificate: Pem;
  /** The private key of the certificate, not encrypted. */
  readonly key: Pem;
  /** The certificates of the authorities that a server's certificate may come from; no others. */
  readonly ca: Pem;
}

/** Credentials that were read and fit together, ready for any number of handshakes. */
export interface Credentials {
  readonly secureContext: SecureContext;
  /** The client's own certificate. */
  readonly certificate: X509Certificate;
}

/**
 * Reads and checks credentials. What a runtime overlooks is an error here: no certificate at all, a
 * key of another certificate.
 *
 * @param names what messages call the three; the names of files, say
 * @throws KeylessError "CERTIFICATE_FORMAT", "KEY_FORMAT", "KEY_PASSPHRASE", "KEY_MISMATCH"
 */
export function readCredentials(
  pems: CredentialPems,
  names: Readonly<Record<keyof CredentialPems, string>> = DEFAULT_NAMES,
): Credentials {
  const certificate = readPair(pems, names);
  readCertificates(pems.ca, names.ca);
  const secureContext = createSecureContext({
    cert: bufferOf(pems.certificate),
    key: bufferOf(pems.key),
    ca: bufferOf(pems.ca),
    minVersion: "TLSv1.2",
    ciphers: TLS12_SUITES.join(":"),
  });
  return { secureContext, certificate };
}

/**
 * The certificate of a client, after it and its key were found to belong together.
 *
 * @throws as `readCredentials`
 */
export function readPair(
  pems: Pick<CredentialPems, "certificate" | "key">,
  names: Readonly<Record<"certificate" | "key", string>>,
): X509Certificate {
  const certificate = readCertificates(pems.certificate, names.certificate)[0]!;
  if (certificate.checkPrivateKey(readKey(pems.key, names.key))) return certificate;
  throw new KeylessError(
    "KEY_MISMATCH",
    `${names.key} is not the key of ${names.certificate}; give the two that belong together`,
  );
}

const DEFAULT_NAMES = {
  certificate: "the client's certificate",
  key: "the client's key",
  ca: "the CA",
} as const;

/** What the client offers under TLS 1.2: forward secrecy and authenticated encryption alone. */
const TLS12_SUITES = [
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
] as const;

const CERTIFICATE_BLOCK = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/**
 * At least one: without this check, an empty `ca` would stand for all the authorities that the
 * system trusts.
 *
 * @param name for messages
 * @throws KeylessError "CERTIFICATE_FORMAT"
 */
export function readCertificates(pem: Pem, name: string): X509Certificate[] {
  const blocks = bufferOf(pem).toString("latin1").match(CERTIFICATE_BLOCK) ?? [];
  if (blocks.length === 0) {
    throw new KeylessError("CERTIFICATE_FORMAT", `${name} holds no certificate; give it as PEM`);
  }
  return blocks.map((block) => {
    try {
      return new X509Certificate(block);
    } catch (error) {
      throw new KeylessError(
        "CERTIFICATE_FORMAT",
        `${name} holds a certificate that cannot be read: ${messageOf(error)}`,
        { cause: error },
      );
    }
  });
}

/** @throws KeylessError "KEY_FORMAT", "KEY_PASSPHRASE" */
export function readKey(pem: Pem, name: string): KeyObject {
  const bytes = bufferOf(pem);
  if (ENCRYPTED_MARKS.some((mark) => bytes.includes(mark))) {
    throw new KeylessError(
      "KEY_PASSPHRASE",
      `${name} is encrypted; decrypt it for this use: openssl pkey -in FILE -out CLEAR`,
    );
  }
  try {
    return createPrivateKey(bytes);
  } catch { // the runtime's own message might quote what it could not read
    throw new KeylessError("KEY_FORMAT", `${name} holds no private key; give it as PEM`);
  }
}

const ENCRYPTED_MARKS = ["BEGIN ENCRYPTED PRIVATE KEY", "Proc-Type: 4,ENCRYPTED"] as const;

/** The same memory where it is bytes already. */
function bufferOf(pem: Pem): Buffer {
  if (typeof pem === "string") return Buffer.from(pem);
  return Buffer.from(pem.buffer, pem.byteOffset, pem.length);
}
