import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { addHelp } from "../help.ts";
import { addCheckOptions, type CheckFlags } from "../hsm/checks.ts";
import { addModuleOptions, type ModuleFlags } from "../hsm/module_options.ts";

/** `keyless hsm mechanisms`: what tokens can do. */
export function hsmMechanismsCommand(): CommandUnknownOpts {
  const command: CommandUnknownOpts = new Command("mechanisms")
    .description("list what tokens can do: mechanisms, sizes of keys, uses")
    .argument("[uri]", "PKCS#11 URI of a token (default: all tokens)")
    .action((uri: string | undefined) => {
      return mechanisms(uri, command.optsWithGlobals() as unknown as Flags);
    });
  addModuleOptions(command);
  addCheckOptions(command);
  addHelp(command, [
    { line: "keyless hsm mechanisms --module softhsm2", what: "of a module's tokens" },
    {
      line: "keyless hsm mechanisms 'pkcs11:token=prod' -m softhsm2 --require-mechanism CKM_ECDSA",
      what: "check what a token can do",
    },
  ]);
  return command;
}

type Flags = ModuleFlags & CheckFlags;

async function mechanisms(text: string | undefined, flags: Flags): Promise<void> {
  const { checkNames, missing } = await import("../hsm/checks.ts");
  const { lookAtModules, lookAtToken } = await import("../hsm/look_at_modules.ts");
  const { mechanismsFields, mechanismsText } = await import("../hsm/mechanism_report.ts");
  const { findModuleOf, findModules, readTimeout } = await import("../hsm/module_options.ts");
  const { showResult } = await import("../hsm/show_result.ts");
  const { readTypedUri } = await import("../hsm/typed_uri.ts");
  checkNames(flags);
  const warnings: string[] = [];
  const options = { timeoutMs: readTimeout(flags), warnings, withMechanisms: true };
  const uri = text === undefined ? undefined : readTypedUri(text);
  const { modules, errors } = uri === undefined
    ? await lookAtModules(findModules(flags).paths, options)
    : { modules: [await lookAtToken(findModuleOf(uri, flags), uri, options)], errors: [] };
  showResult("hsm mechanisms", flags, {
    fields: () => ({ modules: modules.map(mechanismsFields) }),
    text: () => modules.map(mechanismsText).join("\n\n"),
    warnings,
    failures: [...errors, ...missing(flags, modules.flatMap(({ tokens }) => tokens))],
  });
}
