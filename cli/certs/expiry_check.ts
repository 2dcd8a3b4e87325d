import { parseDuration } from "../../src/text/duration.ts";
import { KeylessError, messageOf } from "../../src/errors/errors.ts";
import { printable, quoted } from "../../src/errors/printable.ts";
import { type ExpiryEntry, type ExpiryReading, soonestFirst } from "./expiry_entries.ts";
import { nameOf, whenText } from "./expiry_text.ts";
import { type NagiosState, withoutBars } from "./nagios.ts";

/** How little time a certificate may have left: so long, or a share of its whole time. */
export type Threshold =
  & { readonly text: string }
  & (
    | { readonly leftMs: number }
    | { readonly share: number }
  );

export interface Thresholds {
  readonly warn: Threshold | undefined;
  readonly critical: Threshold | undefined;
}

/**
 * Reads `--warn` and `--critical`: durations, or percentages like "20%".
 *
 * @returns undefined where none is given, and nothing is to be checked
 * @throws KeylessError "USAGE" for other texts, and for a critical that comes before the warning
 */
export function readThresholds(
  flags: { readonly warn?: string; readonly critical?: string },
): Thresholds | undefined {
  if (flags.warn === undefined && flags.critical === undefined) return undefined;
  const warn = readThreshold("--warn", flags.warn);
  const critical = readThreshold("--critical", flags.critical);
  if (warn !== undefined && critical !== undefined && isBeyond(critical, warn)) {
    throw new KeylessError(
      "USAGE",
      `--critical ${critical.text} is reached before --warn ${warn.text}; exchange the two`,
    );
  }
  return { warn, critical };
}

/** The state of one certificate. What has expired is critical, whatever the thresholds are. */
export function stateOf(
  { certificate: { notBefore, notAfter } }: ExpiryEntry,
  { warn, critical }: Thresholds,
  nowMs: number,
): Exclude<NagiosState, "UNKNOWN"> {
  const leftMs = notAfter.getTime() - nowMs;
  const wholeMs = notAfter.getTime() - notBefore.getTime();
  const isWithin = (threshold: Threshold | undefined) => {
    if (threshold === undefined) return false;
    return leftMs < ("share" in threshold ? wholeMs * threshold.share : threshold.leftMs);
  };
  if (leftMs <= 0 || isWithin(critical)) return "CRITICAL";
  return isWithin(warn) ? "WARNING" : "OK";
}

/** The outcome of a check. */
export interface CheckResult {
  readonly state: NagiosState;
  /** One printable line, beginning with the state, without performance data. */
  readonly summary: string;
}

/**
 * The state of all: UNKNOWN where something failed, else that of the worst certificate.
 *
 * @param writeError what failed besides reading
 */
export function checkAll(
  { entries, sources, readErrors, failures }: ExpiryReading,
  thresholds: Thresholds,
  nowMs: number,
  writeError?: KeylessError,
): CheckResult {
  const sorted = soonestFirst(entries);
  const due = (state: NagiosState) =>
    sorted.filter((entry) => stateOf(entry, thresholds, nowMs) === state);
  const critical = due("CRITICAL");
  const warning = due("WARNING");
  const sentences = [
    ...dueText(critical, entries.length, thresholds.critical, nowMs),
    ...dueText(warning, entries.length, thresholds.warn, nowMs),
  ];
  if (sentences.length === 0) sentences.push(...firstText(sorted, nowMs));
  const troubles = readErrors === 0 ? [] : [
    `${readErrors} of ${sources} sources cannot be read: ${firstLine(failures[0]!.error)}`,
  ];
  if (writeError !== undefined) troubles.push(firstLine(writeError));
  const state = troubles.length > 0
    ? "UNKNOWN"
    : critical.length > 0
    ? "CRITICAL"
    : warning.length > 0
    ? "WARNING"
    : "OK";
  return { state, summary: withoutBars(`${state}: ${[...troubles, ...sentences].join("; ")}`) };
}

/**
 * What a monitor may draw: the days that the first certificate has left, with the thresholds that
 * are durations, and how many certificates and read errors there are.
 *
 * Source: Nagios Plugin Development Guidelines, "Performance data"; a range `N:` alerts below N.
 */
export function performanceData(
  { entries, readErrors }: ExpiryReading,
  { warn, critical }: Thresholds,
  nowMs: number,
): string {
  const [first] = soonestFirst(entries);
  const range = (threshold: Threshold | undefined) =>
    threshold !== undefined && "leftMs" in threshold ? `${daysOf(threshold.leftMs)}:` : "";
  const left = first === undefined
    ? []
    : [`days_left=${daysOf(first.value * 1_000 - nowMs)};${range(warn)};${range(critical)}`];
  return [...left, `certificates=${entries.length}`, `read_errors=${readErrors}`].join(" ");
}

function readThreshold(flag: string, text: string | undefined): Threshold | undefined {
  if (text === undefined) return undefined;
  const percent = /^(\d{1,3}(?:\.\d{1,9})?)%$/.exec(text)?.[1];
  if (percent !== undefined && Number(percent) <= 100) {
    return { text, share: Number(percent) / 100 };
  }
  const reason = percent === undefined ? "" : ": there are at most 100%";
  if (text.endsWith("%")) {
    throw new KeylessError("USAGE", `${flag} is ${quoted(text)}${reason}; give one like 20%`);
  }
  try {
    return { text, leftMs: parseDuration(text) };
  } catch (cause) {
    const message = `${flag}: ${messageOf(cause)}; or a share of a certificate's time, like 20%`;
    throw new KeylessError("USAGE", message, { cause });
  }
}

/** A duration and a share cannot be compared: certificates differ. */
function isBeyond(critical: Threshold, warn: Threshold): boolean {
  if ("share" in critical) return "share" in warn && critical.share > warn.share;
  return "leftMs" in warn && critical.leftMs > warn.leftMs;
}

function dueText(
  due: readonly ExpiryEntry[],
  total: number,
  threshold: Threshold | undefined,
  nowMs: number,
): string[] {
  if (due.length === 0) return [];
  const expired = due.filter(({ value }) => value * 1_000 <= nowMs).length;
  const verbs = due.length === 1 ? ["has expired", "expires"] : ["have expired", "expire"];
  const within = `${verbs[1]} within ${threshold?.text}`;
  const what = [
    ...(expired > 0 ? [verbs[0]] : []),
    ...(expired < due.length ? [within] : []),
  ].join(" or ");
  const shown = due.slice(0, MAX_NAMED).map((entry) => describe(entry, nowMs));
  if (due.length > MAX_NAMED) shown.push(`and ${due.length - MAX_NAMED} more`);
  return [`${due.length} of ${countText(total)} ${what}: ${shown.join(", ")}`];
}

function firstText([first, ...others]: readonly ExpiryEntry[], nowMs: number): string[] {
  if (first === undefined) return [];
  const count = others.length + 1;
  const which = count === 1 ? "" : ", the first of them";
  return [`${countText(count)}${which}: ${describe(first, nowMs)}`];
}

function firstLine({ message }: KeylessError): string {
  return printable(message.split("\n")[0]!);
}

function countText(count: number): string {
  return count === 1 ? "1 certificate" : `${count} certificates`;
}

function describe(entry: ExpiryEntry, nowMs: number): string {
  return `${nameOf(entry)} ${whenText(entry.value * 1_000 - nowMs)} (${entry.labels.source})`;
}

function daysOf(ms: number): number {
  return Math.round(ms / DAY_MS * 100) / 100;
}

const MAX_NAMED = 3;
const DAY_MS = 86_400_000;
