import { toHex } from "../../src/bytes/hex.ts";
import { keyLabel } from "../../src/crypto/public_key.ts";
import { printable } from "../../src/errors/printable.ts";
import { formatTable } from "../output.ts";
import { wrapLine } from "../wrap.ts";
import { type ReportedKey, reportedKeyFields } from "./key_report.ts";
import { type MeasuredKind, type Rate } from "./measure_rates.ts";
import { moduleFields, moduleTitle, tokenFields } from "./module_report.ts";
import type { OpenToken } from "./open_module.ts";
import { block, type Row } from "./rows.ts";
import type { Trial } from "./try_key.ts";

export interface TestedKey {
  readonly key: ReportedKey;
  readonly trials: readonly Trial[];
}

export interface Recommendation {
  /** That sign. */
  readonly sessions: number;
  /** With the one that keeps the login. */
  readonly maxSessions: number;
  /** The URI that was typed, with it. */
  readonly uri: string;
  /** Whether it is as many as were tried. */
  readonly isMost: boolean;
}

export interface TestReport {
  readonly tested: readonly TestedKey[];
  readonly kinds: readonly MeasuredKind[];
  /** Undefined where nothing was measured. */
  readonly recommended: Recommendation | undefined;
}

/** The report for people. */
export function testText({ path, info }: OpenToken, report: TestReport): string {
  const { tested, kinds, recommended } = report;
  return [
    moduleTitle(path, info),
    ...tested.map(testedKeyText),
    ...(kinds.length === 0 ? [] : [ratesText(kinds)]),
    ...(recommended === undefined ? [] : [recommendationText(recommended)]),
  ].join("\n\n");
}

function testedKeyText({ key, trials }: TestedKey): string {
  const { id, label, info, problem } = key;
  const kind = info === undefined ? "" : `: ${keyLabel(info)}`;
  return block(`${printable(label) || "(no label)"}${kind}`, [
    ["id", toHex(id) || "none"],
    ...(problem === undefined ? [] : [["problem", printable(problem)] as const]),
    ...trials.map(trialRow),
  ]);
}

function ratesText(kinds: readonly MeasuredKind[]): string {
  const rows = kinds.flatMap(({ kind, scheme, rates }) =>
    rates.map(({ sessions, perSecond }) => [
      kind,
      scheme,
      String(sessions),
      Math.round(perSecond).toLocaleString("en"),
      `${milliseconds(eachMs({ sessions, perSecond }))} ms`,
    ])
  );
  return formatTable(["KEY", "OPERATION", "SESSIONS", "PER SECOND", "EACH TAKES"], rows);
}

function recommendationText({ sessions, maxSessions, uri, isMost }: Recommendation): string {
  const more = isMost ? " As many were tried: a higher --max-sessions may show more." : "";
  const line =
    `Recommended: max-sessions=${maxSessions}: ${sessions} to sign, which comes within a ` +
    `tenth of the best rate, and one for the login.${more}`;
  return [...wrapLine(line, ""), `  ${uri}`].join("\n");
}

/** The report as the JSON document has it. */
export function testFields(
  open: OpenToken,
  { tested, kinds, recommended }: TestReport,
): object {
  return {
    ...moduleFields(open),
    token: tokenFields(open.slot.token, open.path),
    keys: tested.map(({ key, trials }) => ({
      ...reportedKeyFields(key),
      operations: trials.map(({ scheme, outcome, why, elapsedMs }) => ({
        operation: scheme,
        outcome,
        why: why ?? null,
        elapsed_ms: elapsedMs ?? null,
      })),
    })),
    rates: kinds.flatMap(({ kind, scheme, rates }) =>
      rates.map(({ sessions, perSecond }) => ({
        key: kind,
        operation: scheme,
        sessions,
        per_second: perSecond,
      }))
    ),
    recommended: recommended === undefined
      ? null
      : { max_sessions: recommended.maxSessions, uri: recommended.uri },
  };
}

function trialRow({ scheme, outcome, why, elapsedMs }: Trial): Row {
  const time = elapsedMs === undefined ? "" : `, ${milliseconds(elapsedMs)} ms`;
  const reason = why === undefined ? "" : `: ${printable(why)}`;
  return [scheme, `${outcome}${time}${reason}`];
}

function eachMs({ sessions, perSecond }: Rate): number {
  return sessions * 1_000 / perSecond;
}

function milliseconds(ms: number): string {
  return ms.toPrecision(3);
}
