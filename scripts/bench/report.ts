import { readFileSync, writeFileSync } from "node:fs";
import { megabytes, microseconds, milliseconds, perSecond } from "./checks.ts";
import type { Outcome, OutcomeRow } from "./laboratory.ts";
import type { Machine } from "./machine.ts";
import { type Check, type Effort, type FigureName, SECTIONS } from "./types.ts";

/** All that a call of scripts/bench.sh has measured. */
export interface Report {
  readonly machine: Machine;
  readonly effort: Effort;
  readonly outcomes: readonly Outcome[];
}

/** For a terminal: the figures of each section, then what must be reached. */
export function textOf(report: Report): string {
  const tables = tablesOf(report).flatMap(({ title, rows }) => [title, ...aligned(rows), ""]);
  return [...conditions(report), "", ...tables].join("\n").trimEnd();
}

/** For docs/performance.md. */
export function markdownOf(report: Report): string {
  const tables = tablesOf(report).flatMap(({ title, rows: [headings = [], ...rows] }) => [
    `### ${title}`,
    "",
    ...[headings, headings.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`),
    "",
  ]);
  return [...conditions(report).map((line) => `- ${line}`), "", ...tables].join("\n");
}

/** The document of --json. */
export function jsonOf({ outcomes, ...conditions }: Report): string {
  const measurements = outcomes.map(({ measurement: { name, section }, rows, checks, failure }) => {
    return { name, section, rows, checks, failure: failure ?? null };
  });
  return `${JSON.stringify({ ...conditions, measurements }, null, 2)}\n`;
}

/** Puts the tables into a file, between two marks. */
export function writeBetweenMarks(path: string | URL, markdown: string): void {
  const text = readFileSync(path, "utf8");
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`${path} has no lines ${BEGIN} and ${END}`);
  const head = text.slice(0, from + BEGIN.length);
  writeFileSync(path, `${head}\n\n${markdown}\n${text.slice(to)}`);
}

export function missed({ outcomes }: Report): readonly Check[] {
  return outcomes.flatMap(({ checks }) => checks.filter(({ isReached }) => isReached === false));
}

export function failed({ outcomes }: Report): readonly Outcome[] {
  return outcomes.filter(({ failure }) => failure !== undefined);
}

const BEGIN = "<!-- figures: scripts/bench.sh --write-docs -->";
const END = "<!-- end of figures -->";
const NOTHING = "–";

interface Table {
  readonly title: string;
  /** The first one has the headings. */
  readonly rows: readonly (readonly string[])[];
}

function tablesOf(report: Report): readonly Table[] {
  const { outcomes } = report;
  const figures = SECTIONS.flatMap((section) => {
    const rows = outcomes.filter(({ measurement }) => measurement.section === section)
      .flatMap((outcome) => outcome.rows.map(cellsOf));
    const title = `Figures: ${section}`;
    return rows.length === 0 ? [] : [{ title, rows: [FIGURE_HEADINGS, ...rows] }];
  });
  const checks = outcomes.flatMap((outcome) => outcome.checks.map(checkCells));
  return [...figures, { title: "Must reach", rows: [CHECK_HEADINGS, ...checks] }];
}

const COLUMNS: readonly {
  readonly heading: string;
  readonly figure: FigureName;
  readonly format: (value: number) => string;
}[] = [
  { heading: "Rate", figure: "ratePerSecond", format: perSecond },
  { heading: "CPU each", figure: "cpuMicroseconds", format: microseconds },
  { heading: "Client CPU", figure: "clientMicroseconds", format: microseconds },
  { heading: "p50", figure: "p50Ms", format: milliseconds },
  { heading: "p99", figure: "p99Ms", format: milliseconds },
  { heading: "Failed", figure: "failedShare", format: (share) => `${(share * 100).toFixed(1)} %` },
  { heading: "Memory", figure: "memoryMegabytes", format: megabytes },
];
const FIGURE_HEADINGS = ["Load", ...COLUMNS.map(({ heading }) => heading)];
const CHECK_HEADINGS = ["What", "Measured", "Must reach", "Reached"];

function cellsOf({ name, figures }: OutcomeRow): readonly string[] {
  const cells = COLUMNS.map(({ figure, format }) => {
    const value = figures[figure];
    return value === undefined ? NOTHING : format(value);
  });
  return [name, ...cells];
}

function checkCells({ what, figure, target, isReached }: Check): readonly string[] {
  const reached = isReached === undefined ? NOTHING : isReached ? "yes" : "NO";
  return [what, figure, target ?? NOTHING, reached];
}

function conditions({ machine, effort }: Report): readonly string[] {
  const { warmup, seconds, rounds } = effort;
  const times = rounds === 1 ? "once" : `${rounds} times, medians`;
  const { date, cores, cpuModel, system, keyless, openssl, loadAverage } = machine;
  return [
    `${date}, load average ${loadAverage.toFixed(2)} before the start`,
    `${cores} cores, ${cpuModel}, ${system}`,
    `${keyless}; ${openssl}`,
    `server, client and openssl on the same cores; one client thread for each load; ` +
    `each ${seconds} s after ${warmup} s of warm-up, ${times}`,
  ];
}

function aligned(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)
    ).join("  ")
  );
}
