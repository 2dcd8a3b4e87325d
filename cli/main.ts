import process from "node:process";
import { readCommandLine } from "./command_line.ts";
import { outputError, reportError, type ReportOptions } from "./output.ts";
import { createProgram } from "./program.ts";

/** The executable: `bun cli/main.ts`, `deno run -A cli/main.ts`, or compiled. */
async function main(typed: readonly string[]): Promise<void> {
  const program = createProgram();
  const { args, command } = readCommandLine(program, typed);
  const report = { command, debug: args.includes("--debug"), json: args.includes("--json") };
  handleStrayErrors(report);
  if (args.length === 0) return program.outputHelp();
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (thrown) {
    process.exitCode = reportError(thrown, report);
  }
}

/** Errors that no command can catch: a stdout that takes no more, and defects. */
function handleStrayErrors(options: ReportOptions): void {
  const exit = () => process.exit(process.exitCode ?? 0);
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") process.exitCode = reportError(outputError(error), options);
    // `serve` lives on without a reader; anything else has nobody left to write for
    if (options.command !== "serve") exit();
  });
  for (const event of ["uncaughtException", "unhandledRejection"]) {
    process.on(event, (thrown: unknown) => {
      process.exitCode = reportError(thrown, options);
      process.stderr.write("", exit);
    });
  }
}

await main(process.argv.slice(2));
