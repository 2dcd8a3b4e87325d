import {
  readCertificates as readPem,
  readCredentials,
  readKey,
} from "../src/client/credentials.ts";
import type { Settings } from "../src/config/settings.ts";
import { KeylessError, messageOf } from "../src/errors/errors.ts";
import { printable } from "../src/errors/printable.ts";
import { openToOthers } from "../src/keystore/read_file.ts";
import { type Certificate, readCertificates } from "../src/pki/certificates.ts";
import { authorityFlaws, serverFlaws } from "../src/pki/flaws.ts";
import { endsSoon, outOfDate } from "../src/pki/validity.ts";
import type { ServerCredentials } from "../src/server/listener.ts";
import { attempt, together } from "./failures.ts";
import { readNamedFile } from "./named_file.ts";

export interface ServerIdentity {
  readonly credentials: ServerCredentials;
  /** The server's own certificate, and those that stand behind it in its file. */
  readonly chain: readonly [Certificate, ...Certificate[]];
  /** Those that clients must be signed by. */
  readonly authorities: readonly Certificate[];
  /** One printable line each. */
  readonly warnings: readonly string[];
  /**
   * What makes every client that checks dates refuse this server; printable lines. No reason not to
   * start: who restarts it in the middle of such an outage still serves the clients that do not.
   */
  readonly faults: readonly string[];
}

/**
 * Reads auth_cert, auth_key and cloudflare_ca_cert, and proves that they fit together.
 *
 * @throws KeylessError "FILE_READ", "CERTIFICATE_FORMAT", "KEY_FORMAT", "KEY_PASSPHRASE",
 *   "KEY_MISMATCH"; FailuresError where several files have something
 */
export async function readServerIdentity(settings: Settings): Promise<ServerIdentity> {
  const names = {
    certificate: `auth_cert ${printable(settings.auth_cert)}`,
    key: `auth_key ${printable(settings.auth_key)}`,
    ca: `cloudflare_ca_cert ${printable(settings.cloudflare_ca_cert)}`,
  };
  const failures: KeylessError[] = [];
  const chain = await attempt(
    failures,
    () => readCertificateFile(settings.auth_cert, names.certificate),
  );
  const key = await attempt(failures, () => readKeyFile(settings.auth_key, names.key));
  const ca = await attempt(
    failures,
    () => readCertificateFile(settings.cloudflare_ca_cert, names.ca),
  );
  if (chain === undefined || key === undefined || ca === undefined) throw together(failures);
  // a server's files pass the checks of a client's
  readCredentials({ certificate: chain.bytes, key: key.bytes, ca: ca.bytes }, names);
  const [certificate] = chain.certificates;
  const authorities = ca.certificates;
  return {
    credentials: { certificate: chain.bytes, key: key.bytes, clientAuthority: ca.bytes },
    chain: chain.certificates,
    authorities,
    warnings: [
      ...key.warnings.map((warning) => `${names.key} ${warning}`),
      ...warningsOf(names.certificate, certificate, [
        ...serverFlaws(certificate),
        ...endsSoon(certificate),
      ]),
      ...authorities.flatMap((each) =>
        warningsOf(names.ca, each, [
          ...outOfDate(each),
          ...endsSoon(each),
          ...authorityFlaws(each),
        ])
      ),
    ],
    faults: warningsOf(names.certificate, certificate, outOfDate(certificate)),
  };
}

interface CertificateFile {
  readonly bytes: Uint8Array;
  readonly certificates: readonly [Certificate, ...Certificate[]];
}

function readCertificateFile(path: string, name: string): CertificateFile {
  const { bytes } = readNamedFile(path, name);
  readPem(bytes, name); // TLS takes no other encoding
  try {
    return { bytes, certificates: readCertificates(bytes) };
  } catch (cause) {
    throw new KeylessError("CERTIFICATE_FORMAT", `${name}: ${messageOf(cause)}`, { cause });
  }
}

function readKeyFile(
  path: string,
  name: string,
): { readonly bytes: Uint8Array; readonly warnings: readonly string[] } {
  const file = readNamedFile(path, name);
  readKey(file.bytes, name);
  return { bytes: file.bytes, warnings: [openToOthers(file) ?? []].flat() };
}

function warningsOf(name: string, { subject }: Certificate, flaws: readonly string[]): string[] {
  return flaws.map((flaw) => `${name}: the certificate of ${printable(subject)} ${flaw}`);
}
