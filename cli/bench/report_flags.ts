import type { CommandUnknownOpts } from "@commander-js/extra-typings";

/** The flags of `keyless bench` that say what is made of a run. */
export interface ReportFlags {
  readonly threshold?: readonly string[];
  readonly json?: true;
  readonly save?: string;
  readonly csv?: string;
  readonly hgrm?: string;
  readonly html?: string;
}

/** Adds them. */
export function addReportFlags(command: CommandUnknownOpts): void {
  command
    .option(
      "--threshold <rule>",
      "exit 1 where it does not hold: p99<5ms, errors<0.1%, rate>10000, ecdsa-sha256.max<1s " +
        "(repeatable; of p50 to p99.99, mean, max, rate, and errors: all that was due and got no " +
        "right answer, dropped requests too)",
      (rule: string, rules: readonly string[] = []) => [...rules, rule],
    )
    .option("--json", "print the result as JSON instead of the summary")
    .option("--save <file>", "write the result as JSON, for keyless bench compare")
    .option("--csv <file>", "write a row for each second, each operation and the total")
    .option(
      "--hgrm <file>",
      "write HdrHistogram's percentile distribution (one for each operation)",
    )
    .option("--html <file>", "write a page with plots, in one file");
}
