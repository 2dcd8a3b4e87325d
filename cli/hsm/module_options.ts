import { resolve } from "node:path";
import { type CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import { KeylessError } from "../../src/errors/errors.ts";
import { printable, quoted } from "../../src/errors/printable.ts";
import { findModule, findUsualModules, triedText } from "../../src/hsm/module_path.ts";
import type { Pkcs11Uri } from "../../src/hsm/uri.ts";
import { DURATION, readNumber } from "../number_flags.ts";

/** The flags of every command that opens modules. */
export interface ModuleFlags {
  readonly module?: string;
  readonly timeout: string;
  readonly json?: true;
  readonly debug?: true;
}

export function addModuleOptions(command: CommandUnknownOpts): void {
  command
    .option("-m, --module <path>", "the module's file, with a / in it, or its name: softhsm2")
    .addOption(
      new Option("--timeout <duration>", "how long a call of a module may take")
        .default("30s", "30s"),
    )
    .option("--json", "print one JSON document");
}

export function readTimeout({ timeout }: ModuleFlags): number {
  return readNumber("--timeout", timeout, { ...DURATION, minMs: 1 });
}

/** Modules to open: absolute paths without links. */
export interface FoundModules {
  readonly paths: readonly string[];
  /** What was looked at, where no module was named. */
  readonly tried: readonly string[];
}

/**
 * The module of `--module`, else those in the usual places.
 *
 * @throws KeylessError "HSM_MODULE" where there is none; it says what was tried
 */
export function findModules({ module }: ModuleFlags): FoundModules {
  if (module !== undefined) return { paths: [namedModule(module)], tried: [] };
  const { found, tried } = findUsualModules();
  if (found.length > 0) return { paths: found, tried };
  throw new KeylessError(
    "HSM_MODULE",
    `there is no PKCS#11 module in the usual places. ${triedText(tried)}. ` +
      "Install one, or name its file by --module",
  );
}

/**
 * The module that a URI names, else that of `--module`, else the only one in the usual places.
 *
 * @throws KeylessError "HSM_MODULE"
 */
export function findModuleOf(uri: Pkcs11Uri, flags: ModuleFlags): string {
  const isNamed = uri["module-path"] !== undefined || uri["module-name"] !== undefined;
  if (isNamed && flags.module === undefined) return findModule(uri);
  if (isNamed) {
    throw new KeylessError("USAGE", "the PKCS#11 URI names a module; leave --module out");
  }
  const { paths: [path, ...others] } = findModules(flags);
  if (path !== undefined && others.length === 0) return path;
  throw new KeylessError(
    "HSM_MODULE",
    `the PKCS#11 URI names no module, and there are several: ${
      [path, ...others].map((each) => printable(each!)).join(", ")
    }; name one by --module`,
  );
}

/** A word is a name, as module-name of a URI is: what lies in the current directory is not loaded. */
function namedModule(module: string): string {
  if (module.includes("/")) return findModule({ "module-path": resolve(module), vendor: [] });
  if (!/\.(?:so|dylib)\b/.test(module)) return findModule({ "module-name": module, vendor: [] });
  throw new KeylessError(
    "USAGE",
    `--module is ${quoted(module)}, a file without its directory; write ${quoted(`./${module}`)}`,
  );
}
