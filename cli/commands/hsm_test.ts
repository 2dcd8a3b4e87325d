import { Command, type CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import { KeylessError } from "../../src/errors/errors.ts";
import type { Pkcs11Uri } from "../../src/hsm/uri.ts";
import { MAX_SESSIONS } from "../../src/hsm/uri_attributes.ts";
import { addHelp } from "../help.ts";
import { addCheckOptions, type CheckFlags } from "../hsm/checks.ts";
import { addPinOptions, type PinFlags } from "../hsm/log_in.ts";
import { addModuleOptions, type ModuleFlags } from "../hsm/module_options.ts";
import type { TestReport } from "../hsm/test_report.ts";
import type { MeasureOptions } from "../hsm/test_token.ts";
import { COUNT, DURATION, readNumber } from "../number_flags.ts";

/** `keyless hsm test`: whether a token's keys do what they should, and how fast. */
export function hsmTestCommand(): CommandUnknownOpts {
  const command: CommandUnknownOpts = new Command("test")
    .description("sign with every opcode that keys support, verify, and measure the rate")
    .argument("<uri>", "PKCS#11 URI of the token; with id or object, of keys on it")
    .option("--max-sessions <number>", "measure up to so many (default: of the URI, else 16)")
    .addOption(
      new Option("--duration <duration>", "measure so long with each number of sessions")
        .default("1s", "1s"),
    )
    .action((uri: string) => testToken(uri, command.optsWithGlobals() as unknown as Flags));
  addModuleOptions(command);
  addPinOptions(command);
  addCheckOptions(command);
  addHelp(command, [
    {
      line: "keyless hsm test 'pkcs11:token=prod?module-name=softhsm2' --pin-file pin",
      what: "all keys of a token",
    },
    {
      line: "keyless hsm test 'pkcs11:token=prod;object=www' -m softhsm2 --max-sessions 64",
      what: "one key, with more sessions",
    },
  ]);
  return command;
}

interface Flags extends ModuleFlags, PinFlags, CheckFlags {
  readonly maxSessions?: string;
  readonly duration: string;
}

async function testToken(text: string, flags: Flags): Promise<void> {
  const { checkNames } = await import("../hsm/checks.ts");
  const { missingOf } = await import("../hsm/check_token.ts");
  const { findReportedKeys } = await import("../hsm/key_report.ts");
  const { logIn } = await import("../hsm/log_in.ts");
  const { findModuleOf, readTimeout } = await import("../hsm/module_options.ts");
  const { withToken } = await import("../hsm/open_module.ts");
  const { showResult } = await import("../hsm/show_result.ts");
  const { testFields, testText } = await import("../hsm/test_report.ts");
  const { failuresOf, measureKinds, recommend, tryKeys } = await import("../hsm/test_token.ts");
  const { readTypedUri } = await import("../hsm/typed_uri.ts");
  checkNames(flags);
  const uri = readTypedUri(text);
  const path = findModuleOf(uri, flags);
  const warnings: string[] = [];
  const load = readLoad(uri, flags);
  const options = { timeoutMs: readTimeout(flags), maxSessions: load.maxSessions, warnings };
  await withToken(path, uri, options, async (open) => {
    const missing = await missingOf(flags, open);
    await logIn(open.channel, open.slot, uri, flags, warnings);
    const keys = await findReportedKeys(uri, open);
    if (keys.length === 0) throw new KeylessError("HSM_KEY", NO_KEYS);
    const tested = await tryKeys(keys, open);
    const kinds = await measureKinds(tested, open, load);
    warnings.push(...kinds.flatMap(({ stopped }) => stopped ?? []));
    const report: TestReport = { tested, kinds, recommended: recommend(uri, path, kinds) };
    showResult("hsm test", flags, {
      fields: () => testFields(open, report),
      text: () => testText(open, report),
      warnings,
      failures: [...missing, ...failuresOf(tested)],
    });
  });
}

/** @throws KeylessError "USAGE" */
function readLoad(uri: Pkcs11Uri, { maxSessions, duration }: Flags): MeasureOptions {
  const most = maxSessions === undefined
    ? uri["max-sessions"] ?? DEFAULT_SESSIONS
    : readNumber("--max-sessions", maxSessions, { ...COUNT, max: MAX_SESSIONS });
  return {
    maxSessions: Math.max(most, 2) - 1, // one keeps the login
    durationMs: readNumber("--duration", duration, { ...DURATION, minMs: 1 }),
  };
}

const DEFAULT_SESSIONS = 16;
const NO_KEYS = "no private key fits the PKCS#11 URI; keyless hsm keys lists those of a token";
