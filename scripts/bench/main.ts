/** What scripts/bench.sh runs once everything is there; its usage stands there. */
import { writeFileSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";
import { ISOLATION } from "./isolation.ts";
import { Laboratory, type Outcome } from "./laboratory.ts";
import { describeMachine } from "./machine.ts";
import { OPERATIONS } from "./operations.ts";
import { Workplace } from "./processes.ts";
import {
  failed,
  jsonOf,
  markdownOf,
  missed,
  type Report,
  textOf,
  writeBetweenMarks,
} from "./report.ts";
import { SCALING } from "./scaling.ts";
import type { Effort, Measurement } from "./types.ts";

const MEASUREMENTS: readonly Measurement[] = [...OPERATIONS, ...ISOLATION, ...SCALING];
const FULL: Effort = { warmup: 5, seconds: 3, rounds: 3 };
const QUICK: Effort = { warmup: 1, seconds: 1, rounds: 1 };
/** A load average that something has been running for. */
const BUSY = 0.5;
const DOCS = new URL("../../docs/performance.md", import.meta.url);

try {
  await main();
} catch (thrown) {
  console.error(`bench.sh: ${thrown instanceof Error ? thrown.message : thrown}`);
  process.exitCode = 2;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      "quick": { type: "boolean", default: false },
      "only": { type: "string", multiple: true, default: [] },
      "warmup": { type: "string" },
      "seconds": { type: "string" },
      "rounds": { type: "string" },
      "json": { type: "string" },
      "write-docs": { type: "boolean", default: false },
    },
  });
  const measurements = chosen(values.only);
  if (values["write-docs"] && measurements.length < MEASUREMENTS.length) {
    throw new Error("--write-docs writes whole tables; leave --only out");
  }
  const preset = values.quick ? QUICK : FULL;
  const effort: Effort = {
    warmup: numberOf("--warmup", values.warmup, preset.warmup),
    seconds: numberOf("--seconds", values.seconds, preset.seconds),
    rounds: numberOf("--rounds", values.rounds, preset.rounds),
  };
  const machine = describeMachine();
  if (machine.loadAverage > BUSY) {
    const load = machine.loadAverage.toFixed(2);
    console.error(`warning: the load average is ${load}: what else runs here spoils the figures`);
  }
  const outcomes = await measureAll(measurements, effort);
  const report: Report = { machine, effort, outcomes };
  console.log(textOf(report));
  if (values.json !== undefined) writeFileSync(values.json, jsonOf(report));
  const failures = failed(report);
  if (failures.length > 0) {
    throw new Error(
      `not measured: ${failures.map(({ measurement }) => measurement.name).join(", ")}`,
    );
  }
  if (values["write-docs"]) writeBetweenMarks(DOCS, markdownOf(report));
  process.exitCode = missed(report).length === 0 ? 0 : 1;
}

async function measureAll(
  measurements: readonly Measurement[],
  effort: Effort,
): Promise<readonly Outcome[]> {
  const laboratory = new Laboratory(new Workplace(), {
    ...effort,
    onRun: (text) => console.error(text),
  });
  const outcomes: Outcome[] = [];
  for (const measurement of measurements) outcomes.push(await laboratory.measure(measurement));
  return outcomes;
}

function chosen(names: readonly string[]): readonly Measurement[] {
  const known = MEASUREMENTS.map(({ name }) => name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new Error(`--only: there is no ${unknown}; give some of ${known.join(", ")}`);
  }
  return names.length === 0
    ? MEASUREMENTS
    : MEASUREMENTS.filter(({ name }) => names.includes(name));
}

function numberOf(flag: string, text: string | undefined, byDefault: number): number {
  if (text === undefined) return byDefault;
  const number = Number(text);
  if (number > 0) return number;
  throw new Error(`${flag} is ${text}; give a number above 0`);
}
