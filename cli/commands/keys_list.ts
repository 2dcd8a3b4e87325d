import { statSync } from "node:fs";
import process from "node:process";
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { toHex } from "../../src/bytes/hex.ts";
import type { LoadedSettings } from "../../src/config/load.ts";
import type { KeyStoreSetting, SettingKey } from "../../src/config/settings.ts";
import type { PublicKeyInfo } from "../../src/crypto/public_key.ts";
import type { StoredKey } from "../../src/keystore/key_table.ts";
import { addDevOptions, prepareDev } from "../dev_options.ts";
import { keyProblem } from "../failures.ts";
import { addHelp } from "../help.ts";
import { keyFields } from "../key_fields.ts";
import { formatTable, printDocument, printText, printWarning, reportError } from "../output.ts";
import { createProgress } from "../progress.ts";
import { addConfigFileOption, addSettingFlags, readSettingOptions } from "../setting_options.ts";

type Options = Readonly<Record<string, unknown>>;

/** `keyless keys list`: private keys with their files; those that cannot be used, on stderr. */
export function keysListCommand(): CommandUnknownOpts {
  const command: CommandUnknownOpts = new Command("list")
    .description("list private keys: file, type, size in bits, SKI; on stderr what cannot be used")
    .argument("[paths...]", "directories and files of keys (default: those of the configuration)")
    .option("--json", "print JSON")
    .action((paths: string[]) => list(paths, command.optsWithGlobals()));
  addDevOptions(command);
  addConfigFileOption(command);
  addSettingFlags(command, SETTINGS_USED);
  addHelp(command, [
    { line: "keyless keys list", what: "the keys of the configuration" },
    { line: "keyless keys list /etc/keyless/keys old.pem", what: "of a directory and of a file" },
    { line: "keyless keys list --json | jq -r '.keys[].ski'", what: "the SKIs alone" },
  ]);
  return command;
}

async function list(paths: readonly string[], options: Options): Promise<void> {
  const json = options["json"] === true;
  const debug = options["debug"] === true;
  const { loadKeys } = await import("../load_keys.ts");
  const { selectEngine } = await import("../../src/crypto/select_engine.ts");
  const { settings, warnings: told } = await readSettings(paths, options);
  const progress = createProgress("loading keys:", process.stderr);
  const { store, warnings } = await loadKeys(
    { ...settings, keep_going: true },
    { engine: selectEngine(settings.crypto), onProgress: progress.show },
  ).finally(progress.clear);
  const isEmpty = store.size === 0 && store.failures.length === 0;
  const all = [...told, ...warnings, ...(isEmpty ? [NO_KEYS] : [])];
  if (json) {
    const keys = Array.from(store.keys(), toJson);
    printDocument({ keys }, all, store.failures.map(keyProblem));
  } else {
    for (const warning of all) printWarning(NAME, warning);
    const rows = Array.from(store.keys(), toRow);
    if (rows.length > 0) printText(formatTable(["FILE", "TYPE", "BITS", "SKI"], rows));
    for (const { error } of store.failures) reportError(error, { command: NAME, debug });
  }
  for (const { error } of store.failures) process.exitCode = error.exitCode;
  store.close();
}

/** Paths, or --dev, replace the stores of the configuration, which is then read only if it is named. */
async function readSettings(paths: readonly string[], options: Options): Promise<LoadedSettings> {
  const { readConfigFile } = await import("../../src/config/file.ts");
  const { resolveKeySettings } = await import("../key_settings.ts");
  const dev = await prepareDev(options, "find");
  const stores: KeyStoreSetting[] = [
    ...(dev === undefined ? [] : [{ dir: dev.keysDirectory }]),
    ...paths.map((path) => isDirectory(path) ? { dir: path } : { file: path }),
  ];
  const { flags, configFile } = readSettingOptions(options);
  const isFileRead = stores.length === 0 || configFile !== undefined;
  const file = isFileRead ? readConfigFile(configFile) : undefined;
  const loaded = resolveKeySettings(SETTINGS_USED, { flags, file });
  if (stores.length === 0) return loaded;
  return { ...loaded, settings: { ...loaded.settings, private_key_stores: stores } };
}

/** Of what cannot be looked at, loading says why. */
function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function toRow({ path, info }: StoredKey): string[] {
  return [path, typeOf(info), String(info.bits), toHex(info.ski)];
}

function typeOf({ type, curve }: PublicKeyInfo): string {
  return type === "ec" ? `EC ${curve}` : TYPE_NAMES[type];
}

const TYPE_NAMES = { rsa: "RSA", ed25519: "Ed25519" } as const;

function toJson({ path, info }: StoredKey): object {
  return { file: path, ...keyFields(info) };
}

const NAME = "keys list";
const SETTINGS_USED: readonly SettingKey[] = [
  "passphrase_file",
  "passphrase",
  "allow_weak_keys",
  "crypto",
];
const NO_KEYS = "there are no keys; name directories or files of them, here or in " +
  "private_key_stores of the configuration";
