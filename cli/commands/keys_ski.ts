import process from "node:process";
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { toHex } from "../../src/bytes/hex.ts";
import { keyFailure } from "../../src/keystore/key_failures.ts";
import { readRegularFile } from "../../src/keystore/read_file.ts";
import type { FoundKey, ReadOptions } from "../../src/pki/public_keys.ts";
import { printable } from "../../src/errors/printable.ts";
import { addHelp } from "../help.ts";
import { printJson, printText, printWarning, reportError } from "../output.ts";
import { addSettingFlags, readSettingOptions } from "../setting_options.ts";

type Options = Readonly<Record<string, unknown>>;

/** `keyless keys ski`: the SKI of whatever holds a public key, or belongs to one. */
export function keysSkiCommand(): CommandUnknownOpts {
  const command: CommandUnknownOpts = new Command("ski")
    .description("print the SKI of private and public keys, certificates and signing requests")
    .argument("<files...>", "PEM or DER; a file that holds several gives a line for each")
    .option("--json", "print JSON")
    .action((files: string[], options: Options) => ski(files, options));
  addSettingFlags(command, ["passphrase_file", "passphrase", "crypto"]);
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
  const readOptions = await prepare(options);
  const { readPublicKeys } = await import("../../src/pki/public_keys.ts");
  const lines: Line[] = [];
  for (const file of files) {
    try {
      const found = readFile(file, (bytes) => readPublicKeys(bytes, readOptions));
      lines.push(...found.map((key) => ({ ...key, file, isOneOfSeveral: found.length > 1 })));
    } catch (thrown) {
      const { error } = keyFailure(file, thrown);
      process.exitCode = reportError(error, { command: NAME, debug: false, json });
    }
  }
  readOptions.passphrase?.fill(0);
  if (json) printJson(lines.map(toJson));
  else if (lines.length > 0) printText(lines.map(toText).join("\n"));
}

async function prepare(options: Options): Promise<ReadOptions> {
  const { resolveSettings } = await import("../../src/config/load.ts");
  const { selectEngine } = await import("../../src/crypto/select_engine.ts");
  const { readPassphrase } = await import("../load_keys.ts");
  const { flags } = readSettingOptions(options);
  const request = { flags, file: undefined, env: process.env, unknownKeys: "warn" } as const;
  const { settings } = resolveSettings(request);
  const passphrase = readPassphrase(settings, (message) => printWarning(NAME, message));
  return { engine: selectEngine(settings.crypto), passphrase };
}

/** The bytes may be a private key's: they are overwritten. */
function readFile<T>(path: string, use: (bytes: Uint8Array) => T): T {
  const { bytes } = readRegularFile(path, MAX_FILE_BYTES);
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

function toJson({ file, source, subject, label, ski }: Line): object {
  return { file, source, subject: subject ?? null, type: label, ski: toHex(ski) };
}

const NAME = "keys ski";

/** Room for a bundle of all public authorities. */
const MAX_FILE_BYTES = 1_048_576;
