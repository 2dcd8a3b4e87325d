import process from "node:process";
import { outputError } from "./output.ts";
import { exitCodeOf, prepareRun, type Report, run } from "./run.ts";

/** The executable: `bun cli/main.ts`, `deno run -A cli/main.ts`, or compiled. */
async function main(typed: readonly string[]): Promise<void> {
  const prepared = prepareRun(typed);
  handleStrayErrors(prepared.report);
  await run(prepared);
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
