import process from "node:process";
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { toHex } from "../../src/bytes/hex.ts";
import type { SettingKey } from "../../src/config/settings.ts";
import { type KeyFailure, keyFailure } from "../../src/keystore/key_failures.ts";
import { readRegularFile } from "../../src/keystore/read_file.ts";
import type { FoundKey, ReadOptions } from "../../src/pki/public_keys.ts";
import { printable } from "../../src/errors/printable.ts";
import { keyProblem } from "../failures.ts";
import { addHelp } from "../help.ts";
import { keyFields } from "../key_fields.ts";
import { printDocument, printText, printWarning, reportError } from "../output.ts";
import { addSettingFlags, readSettingOptions } from "../setting_options.ts";

type Options = Readonly<Record<string, unknown>>;

/** `keyless keys ski`: the SKI of whatever holds a public key, or belongs to one. */
export function keysSkiCommand(): CommandUnknownOpts {
  const command: CommandUnknownOpts = new Command("ski")
    .description("print the SKI of private and public keys, certificates and signing requests")
    .argument("<files...>", "PEM or DER; a file that holds several gives a line for each")
    .option("--json", "print JSON")
    .action((files: string[]) => ski(files, command.optsWithGlobals()));
  addSettingFlags(command, SETTINGS_USED);
  addHelp(command, [
    { line: "keyless keys ski example.com.pem", what: "of a certificate, or of a chain of them" },
    { line: "keyless keys ski *.key", what: "of many keys" },
  ]);
  return command;
}

interface Line extends FoundKey {
  readonly file: string;
  readonly isOneOfSeveral: boolean;
}

async function ski(files: readonly string[], options: Options): Promise<void> {
  const json = options["json"] === true;
  const debug = options["debug"] === true;
  const warnings: string[] = [];
  const failures: KeyFailure[] = [];
  const readOptions = await prepare(options, warnings);
  const { readPublicKeys } = await import("../../src/pki/public_keys.ts");
  const lines: Line[] = [];
  for (const file of files) {
    try {
      const found = readFile(file, (bytes) => readPublicKeys(bytes, readOptions));
      lines.push(...found.map((key) => ({ ...key, file, isOneOfSeveral: found.length > 1 })));
    } catch (thrown) {
      failures.push(keyFailure(file, thrown));
    }
  }
  readOptions.passphrase?.fill(0);
  if (json) printDocument({ keys: lines.map(toJson) }, warnings, failures.map(keyProblem));
  else {
    for (const warning of warnings) printWarning(NAME, warning);
    if (lines.length > 0) printText(lines.map(toText).join("\n"));
    for (const { error } of failures) reportError(error, { command: NAME, debug });
  }
  for (const { error } of failures) process.exitCode = error.exitCode;
}

/** @param warnings takes those of the settings */
async function prepare(options: Options, warnings: string[]): Promise<ReadOptions> {
  const { resolveKeySettings } = await import("../key_settings.ts");
  const { selectEngine } = await import("../../src/crypto/select_engine.ts");
  const { readPassphrase } = await import("../load_keys.ts");
  const { flags } = readSettingOptions(options);
  const { settings, warnings: told } = resolveKeySettings(SETTINGS_USED, { flags });
  warnings.push(...told);
  const passphrase = readPassphrase(settings, (message) => warnings.push(message));
  return { engine: selectEngine(settings.crypto), passphrase };
}

/** The bytes may be a private key's: they are overwritten. */
function readFile<T>(path: string, use: (bytes: Uint8Array) => T): T {
  const { bytes } = readRegularFile(path);
  try {
    return use(bytes);
  } finally {
    bytes.fill(0);
  }
}

/** As sha1sum has it; what stands third tells the keys of a file apart. */
function toText({ file, ski, source, subject, isOneOfSeveral }: Line): string {
  const line = `${toHex(ski)}  ${printable(file)}`;
  return isOneOfSeveral ? `${line}  ${printable(subject || source)}` : line;
}

/** Of a key that is not served, what it is called stands for its type. */
function toJson({ file, source, subject, label, ski, info }: Line): object {
  const unserved = { type: label, bits: null, curve: null, ski: toHex(ski) };
  const key = info === undefined ? unserved : keyFields(info);
  return { file, source, subject: subject ?? null, ...key };
}

const NAME = "keys ski";
const SETTINGS_USED: readonly SettingKey[] = ["passphrase_file", "passphrase", "crypto"];
