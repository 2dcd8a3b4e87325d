import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { addHelp } from "../help.ts";
import { addCheckOptions, type CheckFlags } from "../hsm/checks.ts";
import { addModuleOptions, type ModuleFlags } from "../hsm/module_options.ts";
import { wrapLine } from "../wrap.ts";

/** `keyless hsm slots`: the slots of PKCS#11 modules, and the tokens in them. */
export function hsmSlotsCommand(): CommandUnknownOpts {
  const command: CommandUnknownOpts = new Command("slots")
    .description("list slots and tokens: state, sessions, memory, and the URI to paste")
    .action(() => slots(command.optsWithGlobals() as unknown as Flags));
  addModuleOptions(command);
  addCheckOptions(command);
  addHelp(command, [
    { line: "keyless hsm slots", what: "of the modules in the usual places" },
    { line: "keyless hsm slots --module /opt/cloudhsm/lib/libcloudhsm_pkcs11.so", what: "of one" },
    {
      line: "keyless hsm slots --require-token prod --require-mechanism CKM_ECDSA",
      what: "check that a token is there, and what it can do",
    },
    {
      line: "keyless hsm slots --json | jq -r '.modules[].slots[].token.uri | values'",
      what: "the URIs alone",
    },
  ]);
  return command;
}

type Flags = ModuleFlags & CheckFlags;

async function slots(flags: Flags): Promise<void> {
  const { checkNames, missing } = await import("../hsm/checks.ts");
  const { findModules, readTimeout } = await import("../hsm/module_options.ts");
  const { triedText } = await import("../../src/hsm/module_path.ts");
  const { lookAtModules } = await import("../hsm/look_at_modules.ts");
  const { showResult } = await import("../hsm/show_result.ts");
  const { moduleFields, moduleText, slotFields } = await import("../hsm/module_report.ts");
  checkNames(flags);
  const timeoutMs = readTimeout(flags);
  const { paths, tried } = findModules(flags);
  const warnings: string[] = [];
  const withMechanisms = flags.requireMechanism !== undefined;
  const { modules, errors } = await lookAtModules(paths, { timeoutMs, warnings, withMechanisms });
  const looked = tried.length > 0 ? [wrapLine(`${triedText(tried)}.`).join("\n")] : [];
  showResult("hsm slots", flags, {
    fields: () => ({
      tried,
      modules: modules.map((module) => ({
        ...moduleFields(module),
        slots: module.slots.map((slot) => slotFields(slot, module.path)),
      })),
    }),
    text: () => [...modules.map(moduleText), ...looked].join("\n\n"),
    warnings,
    failures: [...errors, ...missing(flags, modules.flatMap(({ tokens }) => tokens))],
  });
}
