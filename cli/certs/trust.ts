import type { Engine } from "../../src/crypto/engine.ts";
import { type ChainVerdict, verifyChain } from "../../src/crypto/libcrypto/verify_chain.ts";
import type { Purpose } from "../../src/crypto/purposes.ts";
import { KeylessError, messageOf } from "../../src/errors/errors.ts";
import { printable } from "../../src/errors/printable.ts";
import { readBundle } from "../../src/pki/bundle.ts";
import { describeCertificate } from "../../src/pki/certificate_details.ts";
import { type Certificate, parseCertificate } from "../../src/pki/certificates.ts";
import { readNamedFile } from "../named_file.ts";

/** Against what chains are verified. */
export interface Authorities {
  readonly certificates: readonly Certificate[];
  readonly purpose: Purpose;
  /** Why it cannot be done; undefined where it can. */
  readonly obstacle: string | undefined;
}

/**
 * Reads the file of `--ca`.
 *
 * @param engine what was chosen; none but libcrypto verifies chains
 * @throws KeylessError "FILE_READ", "CERTIFICATE_FORMAT"
 */
export function readAuthorities(
  path: string,
  purpose: Purpose,
  engine: Engine | undefined,
): Authorities {
  const name = `--ca ${printable(path)}`;
  const { bytes } = readNamedFile(path, name);
  return { certificates: certificatesOf(bytes, name), purpose, obstacle: obstacleOf(engine) };
}

function certificatesOf(bytes: Uint8Array, name: string): readonly Certificate[] {
  try {
    const { certificates, problems } = readBundle(bytes);
    const broken = problems.find(({ code }) => code === "CERTIFICATE_FORMAT");
    if (broken !== undefined) throw broken;
    if (certificates.length > 0) return certificates;
    throw new KeylessError("CERTIFICATE_FORMAT", "no certificate in it");
  } catch (cause) {
    throw new KeylessError("CERTIFICATE_FORMAT", `${name}: ${messageOf(cause)}`, { cause });
  }
}

function obstacleOf(engine: Engine | undefined): string | undefined {
  if (engine?.name === "libcrypto") return undefined;
  return engine?.warning ?? "libcrypto of OpenSSL 3 is not used";
}

/** Whether OpenSSL accepts a chain. */
export type Trust =
  /** Subjects: the leaf, then each one's issuer up to the authority. */
  | { readonly verdict: "verified"; readonly path: readonly string[] }
  | {
    readonly verdict: "refused";
    /** OpenSSL's words: "certificate has expired". */
    readonly reason: string;
    /** The subject of the certificate that they are about. */
    readonly culprit: string;
    /** Its issuer. */
    readonly issuer: string;
  }
  | { readonly verdict: "not checked"; readonly reason: string };

/**
 * OpenSSL's verdict on a certificate of a file, with its other certificates to help.
 *
 * @param leaf its index
 * @param host the name that it must be for, if it was a server that showed it
 */
export function judgeTrust(
  certificates: readonly Certificate[],
  leaf: number,
  { certificates: authorities, purpose, obstacle }: Authorities,
  host?: string,
): Trust {
  if (obstacle !== undefined) return { verdict: "not checked", reason: obstacle };
  const certificate = certificates[leaf]!;
  try {
    const verdict = verifyChain({
      certificate: certificate.der,
      intermediates: certificates.filter((each) => each !== certificate).map(({ der }) => der),
      authorities: authorities.map(({ der }) => der),
      purpose,
      host,
    });
    return trustOf(certificate, verdict);
  } catch (error) {
    if (!(error instanceof KeylessError)) throw error;
    return { verdict: "not checked", reason: error.message };
  }
}

function trustOf(certificate: Certificate, { isValid, reason, depth, chain }: ChainVerdict): Trust {
  const path = chain.map((der) => parseCertificate(der));
  if (isValid) return { verdict: "verified", path: path.map(({ subject }) => subject) };
  const culprit = path[depth] ?? certificate;
  const issuer = describeCertificate(culprit).issuer.text;
  return { verdict: "refused", reason, culprit: culprit.subject, issuer };
}
