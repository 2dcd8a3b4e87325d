import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { addHelp } from "../help.ts";
import { addCheckOptions, type CheckFlags } from "../hsm/checks.ts";
import { addPinOptions, type PinFlags } from "../hsm/log_in.ts";
import { addModuleOptions, type ModuleFlags } from "../hsm/module_options.ts";

/** `keyless hsm keys`: the private keys of a token. */
export function hsmKeysCommand(): CommandUnknownOpts {
  const command: CommandUnknownOpts = new Command("keys")
    .description("list a token's private keys: type, size, id, label, SKI, usages, and their URIs")
    .argument("<uri>", "PKCS#11 URI of the token; with id or object, of keys on it")
    .action((uri: string) => keys(uri, command.optsWithGlobals() as unknown as Flags));
  addModuleOptions(command);
  addPinOptions(command);
  addCheckOptions(command);
  addHelp(command, [
    {
      line: "keyless hsm keys 'pkcs11:token=prod?module-name=softhsm2'",
      what: "all keys of a token; a terminal is asked for the PIN",
    },
    {
      line: "keyless hsm keys 'pkcs11:token=prod;object=www' -m softhsm2 --pin-file pin",
      what: "the keys of a label",
    },
    {
      line: "keyless hsm keys 'pkcs11:token=prod' -m softhsm2 --json | jq -r '.keys[].ski'",
      what: "the SKIs alone",
    },
  ]);
  return command;
}

type Flags = ModuleFlags & PinFlags & CheckFlags;

async function keys(text: string, flags: Flags): Promise<void> {
  const { checkNames } = await import("../hsm/checks.ts");
  const { missingOf } = await import("../hsm/check_token.ts");
  const { logIn } = await import("../hsm/log_in.ts");
  const { findModuleOf, readTimeout } = await import("../hsm/module_options.ts");
  const { moduleFields, moduleTitle, tokenFields } = await import("../hsm/module_report.ts");
  const { withToken } = await import("../hsm/open_module.ts");
  const report = await import("../hsm/key_report.ts");
  const { showResult } = await import("../hsm/show_result.ts");
  const { readTypedUri } = await import("../hsm/typed_uri.ts");
  checkNames(flags);
  const uri = readTypedUri(text);
  const path = findModuleOf(uri, flags);
  const warnings: string[] = [];
  const options = { timeoutMs: readTimeout(flags), warnings };
  await withToken(path, uri, options, async (open) => {
    const failures = await missingOf(flags, open);
    await logIn(open.channel, open.slot, uri, flags, warnings);
    const found = await report.findReportedKeys(uri, open);
    if (found.length === 0) warnings.push(NO_KEYS);
    showResult("hsm keys", flags, {
      fields: () => ({
        ...moduleFields(open),
        token: tokenFields(open.slot.token, path),
        keys: found.map(report.reportedKeyFields),
      }),
      text: () => [moduleTitle(path, open.info), ...found.map(report.keyText)].join("\n\n"),
      warnings,
      failures,
    });
  });
}

const NO_KEYS = "no private key fits the PKCS#11 URI";
