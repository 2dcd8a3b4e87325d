import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";

/** What `serve` starts for each PKCS#11 module: it holds the module, and nobody types it. */
export const MODULE_COMMAND = "pkcs11-module";

/** `keyless pkcs11-module PATH`, hidden. */
export function pkcs11ModuleCommand(): CommandUnknownOpts {
  return new Command(MODULE_COMMAND)
    .description("hold a PKCS#11 module; started by other commands")
    .argument("<path>", "the module's file")
    .action(async (path) => {
      const { runModuleChild } = await import("../../src/hsm/module_child.ts");
      runModuleChild(path);
    });
}
