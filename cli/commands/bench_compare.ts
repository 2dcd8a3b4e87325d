import { Buffer } from "node:buffer";
import process from "node:process";
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import type { MeasuredRun } from "../../src/bench/measured_run.ts";
import { KeylessError } from "../../src/errors/errors.ts";
import { quoted } from "../../src/errors/printable.ts";
import { problemsOf } from "../failures.ts";
import { addHelp } from "../help.ts";
import { readNamedFile } from "../named_file.ts";
import { printDocument, printText, printWarning, reportError } from "../output.ts";

interface Options {
  readonly failOn?: readonly string[];
  readonly json?: true;
  readonly debug?: true;
}

/** `keyless bench compare`: what has changed from one run to another. */
export function benchCompareCommand(): CommandUnknownOpts {
  const command: CommandUnknownOpts = new Command("compare")
    .description("compare two results that keyless bench --save has written")
    .argument("<before>", "the result to compare with, JSON")
    .argument("<after>", "the result to judge, JSON")
    .option("--fail-on <rule>", FAIL_ON, (rule, rules: string[] = []) => [...rules, rule])
    .option("--json", "print JSON")
    .action((before: string, after: string) => {
      refuseFlagsOfBench(command);
      return compare(before, after, command.optsWithGlobals() as unknown as Options);
    });
  addHelp(command, [
    { line: "keyless bench compare before.json after.json", what: "both runs, and what changed" },
    {
      line: "keyless bench compare a.json b.json --fail-on 'p99>+10%' --fail-on 'rate<-5%'",
      what: "fail where it has become slower",
    },
  ]);
  return command;
}

/** commander takes them here as well, and nothing would come of them. */
function refuseFlagsOfBench({ parent, options }: CommandUnknownOpts): void {
  const stray = parent?.options.find((option) =>
    parent.getOptionValueSource(option.attributeName()) === "cli" &&
    !options.some(({ long }) => long === option.long)
  );
  if (stray === undefined) return;
  throw new KeylessError("USAGE", `${stray.long} is a flag of keyless bench: leave it out here`);
}

async function compare(before: string, after: string, options: Options): Promise<void> {
  const { checkComparable, differencesOf, judgeChange, parseComparisonRule } = await import(
    "../../src/bench/compare.ts"
  );
  const { comparisonDocument, comparisonTable, unlikeLines } = await import(
    "../bench/compare_report.ts"
  );
  const { ruleError } = await import("../bench/verdicts.ts");
  const rules = (options.failOn ?? []).map(parseComparisonRule);
  const [a, b] = [await readRun(before), await readRun(after)];
  checkComparable(a, b, rules);
  const differences = differencesOf(a, b);
  const verdicts = judgeChange(rules, a, b);
  const warnings = unlikeLines(a.result, b.result);
  const error = ruleError(verdicts);
  if (error !== undefined) process.exitCode = error.exitCode;
  if (options.json) {
    const problems = error === undefined ? [] : problemsOf(error);
    return printDocument(comparisonDocument(differences, verdicts), warnings, problems);
  }
  for (const warning of warnings) printWarning(NAME, warning);
  printText(comparisonTable(differences));
  if (error !== undefined) reportError(error, { command: NAME, debug: options.debug === true });
}

async function readRun(path: string): Promise<MeasuredRun> {
  const { parseResult } = await import("../../src/bench/result.ts");
  const { MeasuredRun } = await import("../../src/bench/measured_run.ts");
  const { bytes } = readNamedFile(path, `the result ${quoted(path)}`, MAX_RESULT_BYTES);
  return new MeasuredRun(parseResult(Buffer.from(bytes).toString(), path));
}

const NAME = "bench compare";
/** Three days of seconds. */
const MAX_RESULT_BYTES = 67_108_864;
const FAIL_ON =
  "a change that is a failure: measure, < or >, signed percentage, like 'p99>+10%' (repeatable; " +
  "p50 to p99.99, mean, max, rate, errors, or ecdsa-sha256.p99)";
