import process from "node:process";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { EXIT } from "../src/errors/table.ts";
import { isCheck, NAGIOS } from "./certs/nagios.ts";
import { readCommandLine } from "./command_line.ts";
import { reportError, type ReportOptions } from "./output.ts";
import { createProgram } from "./program.ts";

/** A command line, and how the errors of its command are reported. */
export interface Run {
  readonly program: CommandUnknownOpts;
  readonly args: readonly string[];
  readonly report: Report;
}

export interface Report extends ReportOptions {
  /** A monitor reads the exit code: what stands in its way is UNKNOWN. */
  readonly isCheck: boolean;
}

/** @param typed the words after `keyless` */
export function prepareRun(typed: readonly string[]): Run {
  const program = createProgram();
  const { args, command } = readCommandLine(program, typed);
  const report = {
    command,
    debug: args.includes("--debug"),
    json: args.includes("--json"),
    isCheck: isCheck(command, args),
  };
  return { program, args, report };
}

/** Runs a command to its end, errors reported, and sets `process.exitCode`. */
export async function run({ program, args, report }: Run): Promise<void> {
  if (args.length === 0) return program.outputHelp();
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (thrown) {
    process.exitCode = exitCodeOf(thrown, report);
  }
}

/** Reports what ended a command, and gives its exit code. */
export function exitCodeOf(thrown: unknown, report: Report): number {
  const code = reportError(thrown, report);
  return report.isCheck && code !== EXIT.OK ? NAGIOS.UNKNOWN : code;
}
