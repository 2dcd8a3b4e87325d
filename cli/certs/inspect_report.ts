import { KeylessError } from "../../src/errors/errors.ts";
import { printable } from "../../src/errors/printable.ts";
import { EXIT } from "../../src/errors/table.ts";
import { namePath } from "../../src/keystore/key_failures.ts";
import { x509 } from "../../src/pki/x509.ts";
import { printDocument, printText, printWarning, reportError } from "../output.ts";
import type { InspectedKey, Inspection } from "./inspection.ts";
import type { InspectFormat } from "./inspect_formats.ts";
import { toJson } from "./inspect_json.ts";
import { toTable } from "./inspect_short.ts";
import { refusalText, toText } from "./inspect_text.ts";
import type { FailedSource } from "./sources.ts";
import type { Trust } from "./trust.ts";

export interface ReportOptions {
  readonly format: InspectFormat;
  readonly debug: boolean;
  /** Of the command as a whole; one printable line each. */
  readonly warnings: readonly string[];
}

/**
 * Writes what was found to stdout, and to stderr what failed; JSON has all in one.
 *
 * @param failed sources of which there is nothing else to show
 * @returns the exit code: the highest of what could not be read, else 1 where a check failed
 */
export function reportInspection(
  inspections: readonly Inspection[],
  failed: readonly FailedSource[],
  options: ReportOptions,
): number {
  const failures = [...failed, ...inspections.flatMap(unreadable)];
  const warnings = [...options.warnings, ...inspections.flatMap(warningsOf)];
  if (options.format === "json") {
    const problems = failures.map(({ source, error: { code, message } }) => ({
      code,
      file: source,
      message,
    }));
    printDocument({ sources: inspections.map(toJson) }, warnings, problems);
  } else {
    const summary = options.format === "text" ? [] : inspections.flatMap(summaryOf);
    for (const warning of [...warnings, ...summary]) printWarning(NAME, warning);
    if (inspections.length > 0) printText(WRITERS[options.format](inspections));
    for (const { error } of failures) reportError(error, { command: NAME, debug: options.debug });
  }
  if (failures.length === 0) return inspections.some(hasFailed) ? EXIT.CHECK_FAILED : EXIT.OK;
  return Math.max(...failures.map(({ error }) => error.exitCode));
}

const WRITERS: Readonly<
  Record<Exclude<InspectFormat, "json">, (inspections: readonly Inspection[]) => string>
> = {
  text: (inspections) => inspections.map(toText).join("\n\n"),
  short: toTable,
  pem: (inspections) => inspections.flatMap(pemOf).join("\n"),
};

/** Certificates and requests, not keys. */
function pemOf({ certificates, requests }: Inspection): string[] {
  const encode = (label: string) => ({ der }: { readonly der: Uint8Array }) =>
    x509.PemConverter.encode(new Uint8Array(der), label);
  return [
    ...certificates.map(encode("CERTIFICATE")),
    ...requests.map(encode("CERTIFICATE REQUEST")),
  ];
}

/** Certificates that cannot be read are failures; of a key beside them it is told. */
function unreadable({ source, problems }: Inspection): FailedSource[] {
  return problems.filter(isOfCertificate).map((cause) => {
    const message = `${namePath(source)}: ${cause.message}`;
    return { source, error: new KeylessError(cause.code, message, { cause }) };
  });
}

function warningsOf({ source, warnings, problems }: Inspection): string[] {
  const keys = problems.filter((problem) => !isOfCertificate(problem));
  return [...warnings, ...keys.map(({ message }) => `${namePath(source)}: ${message}`)];
}

function isOfCertificate({ code }: KeylessError): boolean {
  return code === "CERTIFICATE_FORMAT";
}

/** What the text has in its place, for the formats that have no place for it. */
function summaryOf({ source, certificates, keys, chain }: Inspection): string[] {
  const lines = [
    ...certificates.flatMap(({ subject, flaws }) =>
      flaws.map((flaw) => `the certificate of ${printable(subject.text)} ${flaw}`)
    ),
    ...chain?.flaws ?? [],
    ...(chain?.trust ?? []).flatMap(trustText),
    ...keys.filter(isStray).map((key) => `the ${key.source} belongs to no certificate here`),
  ];
  return lines.map((line) => `${namePath(source)}: ${line}`);
}

function trustText(trust: Trust): string[] {
  if (trust.verdict === "verified") return [];
  const why = trust.verdict === "refused" ? refusalText(trust) : printable(trust.reason);
  return [`the chain is ${trust.verdict}: ${why}`];
}

function hasFailed({ certificates, keys, chain }: Inspection): boolean {
  const isRefused = chain?.trust.some(({ verdict }) => verdict !== "verified") ?? false;
  return certificates.some(({ isOutOfDate }) => isOutOfDate) || isRefused || keys.some(isStray);
}

/** A public key need not belong to anything. */
function isStray({ source, owners }: InspectedKey): boolean {
  return source === "private key" && owners.length === 0;
}

const NAME = "certs inspect";
