import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { EXIT_MEANINGS } from "../src/errors/table.ts";

export interface Example {
  /** The whole line to type: "keyless ping localhost:2407". */
  readonly line: string;
  /** What it does, in a few words. */
  readonly what: string;
}

/** Ends the command's `--help` with examples and the exit codes; every command has it. */
export function addHelp(command: CommandUnknownOpts, examples: readonly Example[]): void {
  const shown = examples.map(({ line, what }) => `  # ${what}\n  ${line}`).join("\n\n");
  command.addHelpText("after", `\nExamples:\n${shown}\n\nExit codes:\n${exitCodes()}`);
}

function exitCodes(): string {
  return Object.entries(EXIT_MEANINGS).map(([code, what]) => `  ${code}  ${what}`).join("\n");
}
