import { X509Certificate } from "node:crypto";
import type { Handshake } from "../../src/client/dial.ts";
import { endpointText } from "../../src/client/endpoint.ts";
import { ServerError } from "../../src/client/errors.ts";
import type { KeylessError } from "../../src/errors/errors.ts";
import { printable } from "../../src/errors/printable.ts";
import { EXIT, type ExitCode } from "../../src/errors/table.ts";
import { paint } from "../output.ts";
import { daysLeft, exitCodeOf, isHealthy, type Target, type TargetResult } from "./check_target.ts";
import { type Hint, nameText } from "./hints.ts";
import type { PingPlan } from "./plan.ts";
import type { Subject } from "./question.ts";
import { lossPercent, summarizeTimes } from "./statistics.ts";

/** A target as it is shown. */
export function targetText({ endpoint }: Target): string {
  return printable(endpointText(endpoint));
}

/** What the handshake settled; on a line below it, the phases of the first connection. */
export function connectedText(target: Target, result: TargetResult, subject: Subject): string {
  const { handshake, phasesMs } = result;
  const phases: [string, number | undefined][] = [
    ["resolve", phasesMs.resolve],
    ["connect", phasesMs.connect],
    ["TLS", phasesMs.tls],
    [`first ${subject.name}`, result.timesMs[0]],
  ];
  const times = phases.flatMap(([name, ms]) => ms === undefined ? [] : [`${name} ${msText(ms)}`]);
  const address = handshake === undefined || target.endpoint.kind === "unix"
    ? ""
    : ` (${handshake.address})`;
  const failed = phasesMs.connect === undefined ? "not reached" : "no TLS";
  const state = handshake === undefined ? failed : handshakeText(handshake);
  const line = `${paint("bold", targetText(target))}${address}: ${state}`;
  return times.length === 0 ? line : `${line}\n  ${times.join(", ")}`;
}

function handshakeText({ version, suite, serverCertificate }: Handshake): string {
  const certificate = new X509Certificate(serverCertificate);
  const days = daysLeft(certificate);
  const style = days < VERY_FEW_DAYS ? "red" : days < FEW_DAYS ? "yellow" : "green";
  const left = paint(style, `${days} days left`);
  return `${version} ${suite}, certificate ${nameText(certificate.subject)}, ${left}`;
}

export function answerLine(
  target: Target,
  sequence: number,
  elapsedMs: number,
  subject: Subject,
): string {
  const verdict = subject.verifies ? " verified" : "";
  const what = subject.name === "ping" ? "" : ` ${subject.name}${verdict}`;
  return `${targetText(target)}: seq=${sequence}${what} time=${msText(elapsedMs)}`;
}

export function failureLine(target: Target, sequence: number, error: KeylessError): string {
  return `${targetText(target)}: seq=${sequence} ${paint("red", codeText(error))}`;
}

/** Why a target is waited for. */
export function waitLine(target: Target, result: TargetResult): string {
  const codes = [...result.failures.values()].map(({ error }) => codeText(error));
  return `${targetText(target)}: waiting, not healthy yet: ${codes.join(", ")}`;
}

/** The summary of every target, and of all together where there are several. */
export function summaryText(
  targets: readonly Target[],
  results: readonly TargetResult[],
  minHealthy: number,
): string {
  const lines = targets.map((target, at) => summaryOf(target, results[at]!));
  if (targets.length > 1) {
    const healthy = results.filter(isHealthy).length;
    const enough = paint(healthy >= minHealthy ? "green" : "red", `${healthy} healthy`);
    lines.push(`--- ${targets.length} targets, ${enough}, ${minHealthy} needed ---`);
  }
  return lines.join("\n");
}

function summaryOf(target: Target, result: TargetResult): string {
  const { sent, received, timesMs } = result;
  const loss = lossPercent(sent, received);
  const errors = received - timesMs.length;
  const errorText = errors === 0 ? "" : `, ${paint("red", `${errors} wrong`)}`;
  const lossText = paint(loss > 0 ? "red" : "green", `${trimmed(loss)}% loss`);
  const lines = [
    `--- ${targetText(target)} ---`,
    `${sent} sent, ${received} received, ${lossText}${errorText}`,
  ];
  const times = summarizeTimes(timesMs);
  if (times !== undefined) {
    const numbers = [times.min, times.avg, times.max, times.p99].map(msDigits).join("/");
    lines.push(`min/avg/max/p99 = ${numbers} ms`);
  }
  return lines.join("\n");
}

/** All results, as fields of a JSON document; times in milliseconds. */
export function pingDocument(
  { targets, subject, minHealthy }: PingPlan,
  results: readonly TargetResult[],
  hints: readonly (Hint | undefined)[],
  exitCode: ExitCode,
): Readonly<Record<string, unknown>> {
  return {
    healthy: exitCode === EXIT.OK,
    exitCode,
    healthyTargets: results.filter(isHealthy).length,
    minHealthy,
    operation: subject.name,
    verified: verifiedOf(subject, results),
    targets: results.map((result, at) => targetDocument(targets[at]!, result, hints[at]?.text)),
  };
}

/** Signatures that were verified, and right; null where there is nothing to verify. */
function verifiedOf({ verifies }: Subject, results: readonly TargetResult[]): number | null {
  if (verifies === undefined) return null;
  return verifies ? results.reduce((sum, { timesMs }) => sum + timesMs.length, 0) : 0;
}

function targetDocument(
  target: Target,
  result: TargetResult,
  hint: string | undefined,
): Readonly<Record<string, unknown>> {
  const { handshake, phasesMs, sent, received, timesMs, failures } = result;
  const times = summarizeTimes(timesMs);
  return {
    target: endpointText(target.endpoint),
    healthy: isHealthy(result),
    exitCode: exitCodeOf(result),
    address: handshake?.address ?? null,
    phasesMs: {
      resolve: rounded(phasesMs.resolve),
      connect: rounded(phasesMs.connect),
      tls: rounded(phasesMs.tls),
      first: rounded(timesMs[0]),
    },
    tls: handshake === undefined ? null : { version: handshake.version, suite: handshake.suite },
    certificate: handshake === undefined ? null : certificateDocument(handshake.serverCertificate),
    interrupted: result.interrupted ?? null,
    sent,
    received,
    lossPercent: rounded(lossPercent(sent, received)),
    timesMs: times === undefined ? null : {
      min: rounded(times.min),
      avg: rounded(times.avg),
      max: rounded(times.max),
      p99: rounded(times.p99),
    },
    errors: [...failures.values()].map(({ error, count }) => ({
      code: error.code,
      wireCode: error instanceof ServerError ? error.wireCode : null,
      count,
      message: error.message,
    })),
    hint: hint ?? null,
  };
}

function certificateDocument(der: Uint8Array): Readonly<Record<string, unknown>> {
  const certificate = new X509Certificate(der);
  return {
    subject: certificate.subject.trim().replaceAll("\n", ", "),
    issuer: certificate.issuer.trim().replaceAll("\n", ", "),
    notAfter: new Date(certificate.validTo).toISOString(),
    daysLeft: daysLeft(certificate),
  };
}

const FEW_DAYS = 30;
const VERY_FEW_DAYS = 7;

function codeText(error: KeylessError): string {
  return error instanceof ServerError ? `${error.code} ${error.wireCode}` : error.code;
}

function msText(ms: number): string {
  return `${msDigits(ms)} ms`;
}

function msDigits(ms: number): string {
  return ms.toFixed(ms < 1 ? 3 : ms < 100 ? 2 : 0);
}

function trimmed(number: number): string {
  return String(Number(number.toFixed(2)));
}

function rounded(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.round(ms * 1_000) / 1_000;
}
