import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import type { DevDirectory } from "../src/pki/dev.ts";

/** Adds `--dev` and `--dev-dir`; the latter alone is enough. */
export function addDevOptions(command: CommandUnknownOpts): void {
  command
    .option("--dev", "use throw-away keys and certificates, made once")
    .option("--dev-dir <dir>", `where they are, for --dev (default: ./${DEFAULT_DEV_DIR})`);
}

/**
 * Makes or finds the directory of `--dev`; undefined where the command is not to use it.
 *
 * @param options the command's `opts()`
 * @throws KeylessError "DEV_DIRECTORY"
 */
export async function prepareDev(
  options: Readonly<Record<string, unknown>>,
): Promise<DevDirectory | undefined> {
  const { dev, devDir } = options as { readonly dev?: true; readonly devDir?: string };
  if (dev === undefined && devDir === undefined) return undefined;
  const { prepareDevDirectory } = await import("../src/pki/dev.ts");
  return await prepareDevDirectory(devDir ?? DEFAULT_DEV_DIR);
}

const DEFAULT_DEV_DIR = "keyless-dev";
