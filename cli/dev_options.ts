import process from "node:process";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { KeylessError } from "../src/errors/errors.ts";
import { printable } from "../src/errors/printable.ts";
import type { DevDirectory } from "../src/pki/dev.ts";

/** Adds `--dev` and `--dev-dir`. */
export function addDevOptions(command: CommandUnknownOpts): void {
  command
    .option("--dev", "use the throw-away keys and certificates that serve --dev makes")
    .option("--dev-dir <dir>", `where they are, for --dev (default: ./${DEFAULT_DEV_DIR})`);
}

/**
 * The directory of `--dev`; undefined where the command is not to use it.
 *
 * @param options the command's `opts()`
 * @param how "make" for the server, which makes and renews what is in it; others "find" it
 * @throws KeylessError "USAGE", "DEV_DIRECTORY"
 */
export async function prepareDev(
  options: Readonly<Record<string, unknown>>,
  how: "make" | "find",
): Promise<DevDirectory | undefined> {
  const { dev, devDir = DEFAULT_DEV_DIR } = options as {
    readonly dev?: true;
    readonly devDir?: string;
  };
  if (dev === undefined) {
    if (options["devDir"] === undefined) return undefined;
    throw new KeylessError("USAGE", "--dev-dir goes with --dev; give both, or neither");
  }
  if (devDir === "") {
    throw new KeylessError("USAGE", "--dev-dir is empty; name a directory, or leave it out");
  }
  const { findDevDirectory, prepareDevDirectory } = await import("../src/pki/dev.ts");
  return how === "make"
    ? await prepareDevDirectory(devDir, tellMaking)
    : await findDevDirectory(devDir);
}

function tellMaking(directory: string): void {
  const where = printable(directory);
  process.stderr.write(`keyless serve: making throw-away keys and certificates in ${where}\n`);
}

const DEFAULT_DEV_DIR = "keyless-dev";
