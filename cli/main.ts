import process from "node:process";
import { EXIT } from "../src/errors/table.ts";
import { isCheck, NAGIOS } from "./certs/nagios.ts";
import { readCommandLine } from "./command_line.ts";
import { outputError, reportError, type ReportOptions } from "./output.ts";
import { createProgram } from "./program.ts";

/** The executable: `bun cli/main.ts`, `deno run -A cli/main.ts`, or compiled. */
async function main(typed: readonly string[]): Promise<void> {
  const program = createProgram();
  const { args, command } = readCommandLine(program, typed);
  const report = {
    command,
    debug: args.includes("--debug"),
    json: args.includes("--json"),
    isCheck: isCheck(command, args),
  };
  handleStrayErrors(report);
  if (args.length === 0) return program.outputHelp();
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (thrown) {
    process.exitCode = exitCodeOf(thrown, report);
  }
}

interface Report extends ReportOptions {
  /** A monitor reads the exit code: what stands in its way is UNKNOWN. */
  readonly isCheck: boolean;
}

function exitCodeOf(thrown: unknown, report: Report): number {
  const code = reportError(thrown, report);
  return report.isCheck && code !== EXIT.OK ? NAGIOS.UNKNOWN : code;
}

/** Errors that no command can catch: a stdout that takes no more, and defects. */
function handleStrayErrors(options: Report): void {
  const exit = () => process.exit(process.exitCode ?? 0);
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") process.exitCode = exitCodeOf(outputError(error), options);
    // `serve` lives on without a reader; anything else has nobody left to write for
    if (options.command !== "serve") exit();
  });
  for (const event of ["uncaughtException", "unhandledRejection"]) {
    process.on(event, (thrown: unknown) => {
      process.exitCode = exitCodeOf(thrown, options);
      process.stderr.write("", exit);
    });
  }
}

await main(process.argv.slice(2));
