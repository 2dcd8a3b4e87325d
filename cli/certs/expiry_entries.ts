import { KeylessError } from "../../src/errors/errors.ts";
import { namePath } from "../../src/keystore/key_failures.ts";
import { certificateGauge, type CertificateLabels } from "../../src/pki/certificate_gauge.ts";
import type { Certificate } from "../../src/pki/certificates.ts";
import type { JsonProblem } from "../output.ts";
import type { ReadSource, SourceResult } from "./sources.ts";

/** A certificate of a source, with the labels and the value of its series. */
export interface ExpiryEntry {
  readonly certificate: Certificate;
  readonly labels: CertificateLabels;
  /** Seconds of Unix time. */
  readonly value: number;
}

/** What came of all sources. */
export interface ExpiryReading {
  /** One for each series: certificates with the same labels are one. In the order of reading. */
  readonly entries: readonly ExpiryEntry[];
  /** Files and hosts that were looked at. */
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

/** Reads to the end what sources have. */
export async function readEntries(results: AsyncIterable<SourceResult>): Promise<ExpiryReading> {
  const series = new Map<string, ExpiryEntry>();
  const failures: SourceFailure[] = [];
  const warnings: string[] = [];
  const failed = new Set<string>();
  let sources = 0;
  for await (const result of results) {
    sources++;
    const { source } = result;
    const errors = "error" in result ? [result.error] : problemsOf(result);
    failures.push(...errors.map((error) => ({ source, error })));
    if (errors.length > 0) failed.add(source);
    if ("error" in result) continue;
    warnings.push(...result.warnings);
    for (const certificate of result.bundle.certificates) {
      const { labels, value } = certificateGauge(certificate, source);
      series.set(JSON.stringify(labels), { certificate, labels, value });
    }
  }
  const entries = [...series.values()];
  return { entries, sources, readErrors: failed.size, failures, warnings };
}

/** Those that end first lead. */
export function soonestFirst(entries: readonly ExpiryEntry[]): ExpiryEntry[] {
  return [...entries].sort((one, other) => one.value - other.value);
}

export function problemOf({ source, error }: SourceFailure): JsonProblem {
  return { code: error.code, file: source, message: error.message };
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
