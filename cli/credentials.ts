import { readCredentials } from "../src/client/credentials.ts";
import type { Settings } from "../src/config/settings.ts";
import { KeylessError, messageOf } from "../src/errors/errors.ts";
import { readRegularFile } from "../src/keystore/read_file.ts";
import { type Certificate, readCertificates } from "../src/pki/certificates.ts";
import type { ServerCredentials } from "../src/server/listener.ts";
import { printable } from "../src/telemetry/printable.ts";

export interface ServerIdentity {
  readonly credentials: ServerCredentials;
  /** The server's own certificate. */
  readonly certificate: Certificate;
  /** Those that clients must be signed by. */
  readonly authorities: readonly Certificate[];
  /** One printable line each. */
  readonly warnings: readonly string[];
}

/**
 * Reads auth_cert, auth_key and cloudflare_ca_cert, and proves that they fit together.
 *
 * @throws KeylessError "FILE_READ", "CERTIFICATE_FORMAT", "KEY_FORMAT", "KEY_PASSPHRASE",
 *   "KEY_MISMATCH"
 */
export function readServerIdentity(settings: Settings): ServerIdentity {
  const names = {
    certificate: `auth_cert ${printable(settings.auth_cert)}`,
    key: `auth_key ${printable(settings.auth_key)}`,
    ca: `cloudflare_ca_cert ${printable(settings.cloudflare_ca_cert)}`,
  };
  const certificate = readFile(settings.auth_cert, names.certificate);
  const key = readFile(settings.auth_key, names.key);
  const ca = readFile(settings.cloudflare_ca_cert, names.ca);
  // a server's files pass the checks of a client's
  readCredentials({ certificate: certificate.bytes, key: key.bytes, ca: ca.bytes }, names);
  const [own] = readCertificates(certificate.bytes);
  const authorities = readCertificates(ca.bytes);
  const warnings = [
    ...((key.mode & 0o077) === 0 ? [] : [`${names.key} is open to others; chmod 600 it`]),
    ...dateWarnings(names.certificate, [own]),
    ...dateWarnings(names.ca, authorities),
  ];
  const credentials = {
    certificate: certificate.bytes,
    key: key.bytes,
    clientAuthority: ca.bytes,
  };
  return { credentials, certificate: own, authorities, warnings };
}

function readFile(path: string, name: string): ReturnType<typeof readRegularFile> {
  try {
    return readRegularFile(path, MAX_FILE_BYTES);
  } catch (cause) {
    throw new KeylessError("FILE_READ", `${name} ${messageOf(cause)}`, { cause });
  }
}

function dateWarnings(name: string, certificates: readonly Certificate[]): string[] {
  const now = Date.now();
  return certificates.flatMap(({ subject, notBefore, notAfter }) => {
    const which = `${name}: the certificate of ${printable(subject)}`;
    if (now > notAfter.getTime()) return [`${which} has expired on ${notAfter.toISOString()}`];
    if (now < notBefore.getTime()) return [`${which} is valid from ${notBefore.toISOString()} on`];
    return [];
  });
}

/** A bundle of all public authorities is a fifth of it. */
const MAX_FILE_BYTES = 1_048_576;
