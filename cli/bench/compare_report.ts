import type { Difference, RuleVerdict } from "../../src/bench/compare.ts";
import { UNITS } from "../../src/bench/measure.ts";
import type { BenchResult } from "../../src/bench/result.ts";
import { formatTable } from "../output.ts";
import { changeText, quantityText } from "./quantities.ts";

/** A line for each measure: both runs, and the change. */
export function comparisonTable(differences: readonly Difference[]): string {
  const rows = differences.map(({ measure: { operation, name, kind }, before, after, change }) => {
    const unit = UNITS[kind];
    return [
      operation === undefined ? name : `${operation}.${name}`,
      quantityText(before, unit),
      quantityText(after, unit),
      changeText(change, unit),
    ];
  });
  return formatTable(["", "A", "B", "CHANGE"], rows);
}

/** What was not alike about two runs, besides what they measured: "connections: 16, then 64". */
export function unlikeLines(before: BenchResult, after: BenchResult): readonly string[] {
  const [a, b] = [conditionsOf(before), conditionsOf(after)];
  return Object.keys(a).filter((name) => a[name] !== b[name])
    .map((name) => `the runs are not alike: ${name}: ${a[name]}, then ${b[name]}`);
}

/** As fields of a JSON document. */
export function comparisonDocument(
  differences: readonly Difference[],
  verdicts: readonly RuleVerdict[],
): object {
  return {
    differences: differences.map(differenceFields),
    rules: verdicts.map(({ rule: { text }, difference, isBroken }) => ({
      rule: text,
      isBroken,
      ...differenceFields(difference),
    })),
  };
}

function differenceFields({ measure, before, after, change }: Difference): object {
  return {
    operation: measure.operation ?? null,
    measure: measure.operation === undefined
      ? measure.name
      : measure.name.replace(`${measure.operation}.`, ""),
    unit: UNITS[measure.kind],
    before: before ?? null,
    after: after ?? null,
    change: change ?? null,
  };
}

/** What a comparison takes to be the same. */
function conditionsOf({ options, tool, endedEarly }: BenchResult): Record<string, string> {
  const { mode, ratePerSecond, connections, inFlight, threads, operations } = options;
  return {
    "mode": mode === "open" ? `open loop at ${ratePerSecond ?? 0}/s` : "closed loop",
    "connections": String(connections),
    "in flight": String(inFlight),
    "client threads": String(threads),
    "mix": mixText(operations),
    "machine": `${tool.cores} × ${tool.cpuModel}, ${tool.platform}`,
    "client": tool.runtime,
    "ended early": endedEarly ?? "no",
  };
}

/** In the order of names: the order of a mix says nothing. */
function mixText(operations: BenchResult["options"]["operations"]): string {
  const sorted = operations.toSorted((a, b) => a.name < b.name ? -1 : 1);
  return sorted.map(({ name, weight, keys }) => `${name}:${weight} with ${keys} keys`).join(" ");
}
