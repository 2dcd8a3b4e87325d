import type { Histogram } from "../../src/bench/histogram.ts";
import { latencyBars } from "../../src/bench/latency_bars.ts";
import { countsOf } from "../../src/bench/measure.ts";
import type { MeasuredRun } from "../../src/bench/measured_run.ts";
import type { BenchOperationResult, BenchResult } from "../../src/bench/result.ts";
import { printable } from "../../src/errors/printable.ts";
import { countText } from "../../src/status/page_numbers.ts";
import { formatTable, paint, type Style } from "../output.ts";
import { wrapLine } from "../wrap.ts";
import { durationText, rateText, shareText } from "./quantities.ts";

/**
 * What a run measured, for people: lines of at most 80 columns, without a line feed at the end.
 */
export function summaryText(run: MeasuredRun): string {
  const { result } = run;
  const sections = [
    [...wrapped(loadText(result), "bold"), ...cutLines(result)],
    [...countLines(result), ...failureLines(result).flatMap((line) => wrapLine(line, "    "))],
    [latencyTable(run)],
    ...result.operations.map((operation) => barLines(operation, run.latency(operation))),
    factLines(result).flatMap((line) => wrapLine(line)),
    bottleneckLines(result),
  ];
  return sections.filter(({ length }) => length > 0).map((lines) => lines.join("\n")).join("\n\n");
}

/** "localhost:2407: 16 connections × 4 in flight, 1 thread, closed loop, 10 s measured". */
export function loadText({ targets, options, elapsedMs }: BenchResult): string {
  const { connections, inFlight, threads, mode, ratePerSecond } = options;
  const loop = mode === "open" ? `open loop at ${rateText(ratePerSecond ?? 0)}` : "closed loop";
  const parts = [
    `${connections} ${connections === 1 ? "connection" : "connections"} × ${inFlight} in flight`,
    `${threads} ${threads === 1 ? "thread" : "threads"}`,
    loop,
    `${durationText(elapsedMs * 1e6)} measured`,
  ];
  return `${targets.map((target) => printable(target)).join(", ")}: ${parts.join(", ")}`;
}

/** Of what failed: how many, and why. */
export function failureLines({ operations, transportErrors }: BenchResult): readonly string[] {
  const replies = operations.flatMap(({ name, errors }) =>
    errors.map(({ wireCode, text, count }) =>
      `${printable(name)}: error ${wireCode}, ${printable(text)}: ${countText(count)}`
    )
  );
  const wrong = operations.filter(({ wrong }) => wrong > 0).map(({ name, wrong }) =>
    `${printable(name)}: answers that do not verify: ${countText(wrong)}`
  );
  const transport = transportErrors.map(({ code, message, count }) =>
    `${printable(code)}: ${printable(message)}: ${countText(count)}`
  );
  return [...replies, ...wrong, ...transport].map((line) => `  ${line}`);
}

/** What was made and looked at beside the load. */
export function factLines({ connects, verification, totals, options }: BenchResult): string[] {
  const lines = [
    `connections: ${countText(connects.made)} made, ${countText(connects.failed)} failed`,
    verifiedText(verification, totals.wrong),
  ];
  if (options.mode === "open") {
    lines.push(
      `schedule: ${countText(totals.dropped)} dropped (no connection had room for them), ` +
        `${countText(totals.late)} sent late (over 1 ms)`,
    );
  }
  return lines;
}

/**
 * A row for each operation, in an open loop with its service time below it; of all together, of
 * making a connection, and of the pacer.
 */
export function latencyRows(run: MeasuredRun): readonly (readonly string[])[] {
  const { operations, totals, connects, pacerLatenessNs } = run.result;
  const rows = operations.flatMap((operation) => {
    const { name, serviceNs, ratePerSecond } = operation;
    const latency = histogramRow(name, rateText(ratePerSecond), run.latency(operation));
    if (serviceNs === null) return [latency];
    return [latency, histogramRow("  service time", "", run.decode(serviceNs))];
  });
  if (operations.length > 1) {
    rows.push(histogramRow("all", rateText(totals.ratePerSecond), run.latencyOfAll()));
  }
  rows.push(histogramRow("connecting", "", run.decode(connects.setUpNs)));
  if (pacerLatenessNs !== null) {
    rows.push(histogramRow("pacer lateness", "", run.decode(pacerLatenessNs)));
  }
  return rows;
}

const SHOWN_PERCENTILES = [50, 90, 99, 99.9, 99.99] as const;

/** Of the columns of `latencyRows`, after that of the names. */
export const LATENCY_HEADINGS: readonly string[] = [
  ...["RATE", "COUNT", "MEAN"],
  ...SHOWN_PERCENTILES.map((percentile) => `P${percentile}`),
  "MAX",
];

const COUNT_COLUMN = 2;
const MEAN_COLUMN = 3;
const MAX_BARS = 14;
const BAR_CELLS = 40;

function cutLines({ endedEarly }: BenchResult): readonly string[] {
  if (endedEarly === null) return [];
  const line = `ended early: ${printable(endedEarly)}; this is what was measured until then`;
  return wrapped(line, "yellow");
}

function countLines({ totals }: BenchResult): readonly string[] {
  const { failed, answered, failedShare = 0 } = countsOf(totals);
  const counts = [
    `${paint("bold", rateText(totals.ratePerSecond))} right answers`,
    `${countText(totals.sent)} sent`,
    `${countText(answered)} answered`,
  ].join(", ");
  if (failed === 0) return [`${counts}, ${paint("green", "0 failed")}`];
  const kinds = [
    [totals.errors, "error replies"],
    [totals.wrong, "wrong"],
    [totals.lost, "lost"],
    [totals.dropped, "dropped"],
  ] as const;
  const told = kinds.flatMap(([count, kind]) => count === 0 ? [] : `${countText(count)} ${kind}`);
  const line = `${countText(failed)} failed (${shareText(failedShare)}): ${told.join(", ")}`;
  return [counts, ...wrapped(line, "red")];
}

/** Count and mean have no room in 80 columns. */
function latencyTable(run: MeasuredRun): string {
  const isShown = (_: string, at: number) => at < COUNT_COLUMN || at > MEAN_COLUMN;
  const rows = [["", ...LATENCY_HEADINGS], ...latencyRows(run)];
  const [headings = [], ...cells] = rows.map((row) => row.filter(isShown));
  return formatTable(headings, cells);
}

function histogramRow(name: string, rate: string, histogram: Histogram): string[] {
  if (histogram.totalCount === 0) return [name, rate, "0"];
  return [
    name,
    rate,
    countText(histogram.totalCount),
    durationText(histogram.mean),
    ...SHOWN_PERCENTILES.map((each) => durationText(histogram.getValueAtPercentile(each))),
    durationText(histogram.maxValue),
  ];
}

function barLines({ name }: BenchOperationResult, latency: Histogram): readonly string[] {
  const bars = latencyBars(latency, MAX_BARS);
  if (bars.length === 0) return [];
  const most = Math.max(...bars.map(({ count }) => count));
  const labels = bars.map(({ toNs }) => durationText(toNs));
  const width = Math.max(...labels.map(({ length }) => length));
  const lines = bars.map(({ count }, at) => {
    const bar = barText(count / most).padEnd(BAR_CELLS);
    const share = shareText(count / latency.totalCount);
    return `  ${labels[at]!.padStart(width)} ${paint("cyan", bar)} ${countText(count)} (${share})`;
  });
  return [`latency of ${printable(name)}, up to`, ...lines];
}

/** Eighths of a cell; what is not nothing is seen. */
function barText(share: number): string {
  const eighths = Math.ceil(share * BAR_CELLS * 8);
  return "█".repeat(eighths >> 3) + (EIGHTHS[eighths & 7] ?? "");
}

const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

function verifiedText(
  { checked, skipped }: BenchResult["verification"],
  wrong: number,
): string {
  const right = wrong === 0 ? "all right" : `${countText(wrong)} wrong`;
  const text = checked === 0 ? "none" : `${countText(checked)}, ${right}`;
  const missed = skipped === 0 ? "" : `; ${countText(skipped)} were due but could not be checked`;
  return `answers verified: ${text}${missed}`;
}

function bottleneckLines({ client }: BenchResult): readonly string[] {
  if (!client.isBottleneck) return [];
  const reason = printable(client.reason ?? "its threads had no time left");
  return wrapped(`The client was the bottleneck, not the server: ${reason}`, "yellow");
}

function wrapped(line: string, style: Style): readonly string[] {
  return wrapLine(line).map((each) => paint(style, each));
}
