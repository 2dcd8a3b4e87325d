import { createHash } from "node:crypto";
import { KeylessError } from "../../src/errors/errors.ts";
import { namePath } from "../../src/keystore/key_failures.ts";
import { certificateGauge, type CertificateLabels } from "../../src/pki/certificate_gauge.ts";
import type { Certificate } from "../../src/pki/certificates.ts";
import type { JsonProblem } from "../output.ts";
import type { ReadSource, SourceResult } from "./sources.ts";

/** A certificate of a source, with the labels and the value of its series, which others may share. */
export interface ExpiryEntry {
  readonly certificate: Certificate;
  readonly labels: CertificateLabels;
  /** Seconds of Unix time. */
  readonly value: number;
}

/** What came of all sources. */
export interface ExpiryReading {
  /** One for each certificate of each source, in the order of reading. */
  readonly entries: readonly ExpiryEntry[];
  /** Files and hosts that were looked at, without those that were passed over. */
  readonly sources: number;
  /** How many of them could not be read, or not to the end. */
  readonly readErrors: number;
  /** At least one for each of those. */
  readonly failures: readonly SourceFailure[];
  /** One printable line each. */
  readonly warnings: readonly string[];
}

export interface SourceFailure {
  readonly source: string;
  /** Its message names the source. */
  readonly error: KeylessError;
}

/**
 * Reads to the end what sources have. Files that hold something else, such as the keys that a
 * shell's *.pem names too, are passed over with a warning; without any certificate they are errors.
 */
export async function readEntries(results: AsyncIterable<SourceResult>): Promise<ExpiryReading> {
  const read = await Array.fromAsync(results);
  const entries = entriesOf(read.filter((result) => "bundle" in result));
  const isPassedOver = ({ isOther }: SourceResult) => isOther === true && entries.length > 0;
  const counted = read.filter((result) => !isPassedOver(result));
  const failures = counted.flatMap(failuresOf);
  return {
    entries,
    sources: countSources(counted),
    readErrors: countSources(failures),
    failures,
    warnings: read.flatMap((result) => {
      if (isPassedOver(result)) return [`${namePath(result.source)}: ${PASSED_OVER}`];
      return "error" in result ? [] : result.warnings;
    }),
  };
}

/** Those that end first lead. */
export function soonestFirst(entries: readonly ExpiryEntry[]): ExpiryEntry[] {
  return [...entries].sort((one, other) => one.value - other.value);
}

export function problemOf({ source, error }: SourceFailure): JsonProblem {
  return { code: error.code, file: source, message: error.message };
}

/** Each certificate of a source once: it may have it twice, and be read twice, with its directory. */
function entriesOf(read: readonly ReadSource[]): ExpiryEntry[] {
  const entries = new Map<string, ExpiryEntry>();
  for (const { source, bundle } of read) {
    for (const certificate of bundle.certificates) {
      const digest = createHash("sha256").update(certificate.der).digest("base64");
      const key = `${digest} ${source}`;
      if (entries.has(key)) continue;
      entries.set(key, { certificate, ...certificateGauge(certificate, source) });
    }
  }
  return [...entries.values()];
}

function countSources(those: readonly { readonly source: string }[]): number {
  return new Set(those.map(({ source }) => source)).size;
}

function failuresOf(result: SourceResult): SourceFailure[] {
  const errors = "error" in result ? [result.error] : problemsOf(result);
  return errors.map((error) => ({ source: result.source, error }));
}

/** Keys that cannot be read are no concern here; a source without any certificate is. */
function problemsOf({ source, bundle }: ReadSource): KeylessError[] {
  const { certificates, requests, keys, problems } = bundle;
  const broken = problems.filter(({ code }) => code === "CERTIFICATE_FORMAT");
  if (certificates.length + broken.length === 0) {
    const found = requests.length > 0 ? "signing requests" : keys.length > 0 ? "keys" : "nothing";
    const why = `no certificate in it, but ${found} alone`;
    broken.push(new KeylessError("CERTIFICATE_FORMAT", why));
  }
  return broken.map((cause) =>
    new KeylessError(cause.code, `${namePath(source)}: ${cause.message}`, { cause })
  );
}

const PASSED_OVER = "no certificate in it, but a key or the like; it is passed over";
