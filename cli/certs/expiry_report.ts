import { KeylessError } from "../../src/errors/errors.ts";
import {
  printDocument,
  printText,
  printWarning,
  reportError,
  type Style,
  writeOut,
} from "../output.ts";
import { checkAll, type CheckResult, performanceData, stateOf } from "./expiry_check.ts";
import { type ExpiryEntry, type ExpiryReading, problemOf, soonestFirst } from "./expiry_entries.ts";
import { expiryMetrics } from "./expiry_metrics.ts";
import type { ReportPlan } from "./expiry_plan.ts";
import { daysLeft, expiryTable } from "./expiry_text.ts";
import { NAGIOS } from "./nagios.ts";
import { writeTextfile } from "./textfile.ts";

/**
 * Writes what was read to wherever it is wanted.
 *
 * @returns the exit code of the command
 */
export async function reportExpiry(
  reading: ExpiryReading,
  plan: ReportPlan,
  nowMs: number,
): Promise<number> {
  const writeError = await writeSeries(reading, plan);
  const check = plan.thresholds &&
    checkAll(reading, plan.thresholds, nowMs, writeError);
  const errors = reading.failures.map(({ error }) => error);
  if (writeError !== undefined) errors.push(writeError);
  if (plan.format === "json") {
    const problems = reading.failures.map(problemOf);
    if (writeError !== undefined) {
      const { code, message } = writeError;
      problems.push({ code, file: plan.textfile!, message });
    }
    const fields = documentOf(reading, plan, check, nowMs);
    printDocument(fields, [...plan.warnings, ...reading.warnings], problems);
  } else {
    await printReading(reading, plan, check, nowMs);
    for (const error of errors) reportError(error, { command: NAME, debug: plan.debug });
  }
  if (check !== undefined) return NAGIOS[check.state];
  return Math.max(0, ...errors.map(({ exitCode }) => exitCode));
}

const NAME = "certs expiry";

async function writeSeries(
  reading: ExpiryReading,
  { textfile }: ReportPlan,
): Promise<KeylessError | undefined> {
  if (textfile === undefined) return undefined;
  try {
    writeTextfile(textfile, await expiryMetrics(reading, "text"));
    return undefined;
  } catch (thrown) {
    if (thrown instanceof KeylessError) return thrown;
    throw thrown;
  }
}

async function printReading(
  reading: ExpiryReading,
  { format, thresholds, warnings }: ReportPlan,
  check: CheckResult | undefined,
  nowMs: number,
): Promise<void> {
  for (const warning of [...warnings, ...reading.warnings]) printWarning(NAME, warning);
  if (check !== undefined && thresholds !== undefined) {
    printText(`${check.summary} | ${performanceData(reading, thresholds, nowMs)}`);
  }
  const style = (entry: ExpiryEntry) => STYLES[stateOf(entry, thresholds ?? USUAL, nowMs)];
  if (format === "table" && reading.entries.length > 0) {
    printText(expiryTable(soonestFirst(reading.entries), nowMs, style));
  } else if (format === "openmetrics") writeOut(await expiryMetrics(reading, "openmetrics"));
  else if (format === "prometheus") writeOut(await expiryMetrics(reading, "text"));
}

const STYLES = { OK: "green", WARNING: "yellow", CRITICAL: "red" } as const satisfies Record<
  string,
  Style
>;

/** What is coloured where nothing is checked. */
const USUAL = {
  warn: { text: "30d", leftMs: 30 * 86_400_000 },
  critical: { text: "7d", leftMs: 7 * 86_400_000 },
};

function documentOf(
  { entries, readErrors }: ExpiryReading,
  { thresholds }: ReportPlan,
  check: CheckResult | undefined,
  nowMs: number,
): object {
  return {
    check: check === undefined ? null : { ...check, exitCode: NAGIOS[check.state] },
    readErrors,
    certificates: soonestFirst(entries).map((entry) => ({
      labels: entry.labels,
      notBefore: entry.certificate.notBefore.toISOString(),
      notAfter: entry.certificate.notAfter.toISOString(),
      notAfterSeconds: entry.value,
      daysLeft: daysLeft(entry, nowMs),
      state: thresholds === undefined ? null : stateOf(entry, thresholds, nowMs),
    })),
  };
}
