import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CliResult } from "./cli.ts";
import { runHere } from "./run_here.ts";
import type { TempDir } from "./temp_dir.ts";

/**
 * Runs `keyless config COMMAND` in a directory of its own that holds this gokeyless.yaml. `check`
 * listens for a moment: not on the metrics port that others have by default.
 */
export async function runConfig(
  directory: TempDir,
  command: string,
  yaml: string,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<CliResult> {
  const cwd = mkdtempSync(directory.at("run-"));
  writeFileSync(join(cwd, "gokeyless.yaml"), yaml);
  const metrics = command === "check" ? { KEYLESS_METRICS_PORT: "0" } : {};
  return await runHere(["config", command, ...args], cwd, { ...metrics, ...env });
}
