import { statSync } from "node:fs";
import process from "node:process";
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { toHex } from "../../src/bytes/hex.ts";
import type { KeyStoreSetting, Settings } from "../../src/config/settings.ts";
import type { PublicKeyInfo } from "../../src/crypto/public_key.ts";
import type { FileStore } from "../../src/keystore/file_store.ts";
import { addDevOptions, prepareDev } from "../dev_options.ts";
import { addHelp } from "../help.ts";
import { formatTable, printJson, printText, printWarning, reportError } from "../output.ts";
import { createProgress } from "../progress.ts";
import { addConfigFileOption, addSettingFlags, readSettingOptions } from "../setting_options.ts";

type Options = Readonly<Record<string, unknown>>;

/** `keyless keys list`: private keys with their files; those that cannot be used, on stderr. */
export function keysListCommand(): CommandUnknownOpts {
  const command: CommandUnknownOpts = new Command("list")
    .description("list private keys: file, type, size in bits, SKI; on stderr what cannot be used")
    .argument("[paths...]", "directories and files of keys (default: those of the configuration)")
    .option("--json", "print JSON")
    .action((paths: string[], options: Options) => list(paths, options));
  addDevOptions(command);
  addConfigFileOption(command);
  addSettingFlags(command, ["passphrase_file", "passphrase", "allow_weak_keys", "crypto"]);
  addHelp(command, [
    { line: "keyless keys list", what: "the keys of the configuration" },
    { line: "keyless keys list /etc/keyless/keys old.pem", what: "of a directory and of a file" },
    { line: "keyless keys list --json | jq -r '.keys[].ski'", what: "the SKIs alone" },
  ]);
  return command;
}

async function list(paths: readonly string[], options: Options): Promise<void> {
  const json = options["json"] === true;
  const { loadKeys } = await import("../load_keys.ts");
  const { selectEngine } = await import("../../src/crypto/select_engine.ts");
  const settings = await readSettings(paths, options);
  const progress = createProgress("loading keys:", process.stderr);
  const { store, warnings } = await loadKeys(
    { ...settings, keep_going: true },
    { engine: selectEngine(settings.crypto), onProgress: progress.show },
  ).finally(progress.clear);
  const isEmpty = store.keys.length === 0 && store.failures.length === 0;
  const told = isEmpty ? [...warnings, NO_KEYS] : warnings;
  if (json) printJson({ ...toJson(store), warnings: told });
  else {
    for (const warning of told) printWarning(NAME, warning);
    const rows = store.keys.map(toRow);
    if (rows.length > 0) printText(formatTable(["FILE", "TYPE", "SIZE", "SKI"], rows));
  }
  for (const { error } of store.failures) {
    process.exitCode = reportError(error, { command: NAME, debug: false, json });
  }
  store.close();
}

/** Paths, or --dev, replace the stores of the configuration, which is then read only if it is named. */
async function readSettings(paths: readonly string[], options: Options): Promise<Settings> {
  const { readConfigFile } = await import("../../src/config/file.ts");
  const { resolveSettings } = await import("../../src/config/load.ts");
  const dev = await prepareDev(options, "find");
  const stores: KeyStoreSetting[] = [
    ...(dev === undefined ? [] : [{ dir: dev.keysDirectory }]),
    ...paths.map((path) => isDirectory(path) ? { dir: path } : { file: path }),
  ];
  const { flags, configFile } = readSettingOptions(options);
  const isFileRead = stores.length === 0 || configFile !== undefined;
  const file = isFileRead ? readConfigFile(configFile) : undefined;
  const { settings } = resolveSettings({ flags, file, env: process.env, unknownKeys: "warn" });
  return stores.length === 0 ? settings : { ...settings, private_key_stores: stores };
}

/** Of what cannot be looked at, loading says why. */
function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function toRow({ path, info }: FileStore["keys"][number]): string[] {
  return [path, typeOf(info), String(info.bits), toHex(info.ski)];
}

function toJson({ keys, failures }: FileStore): object {
  return {
    keys: keys.map(({ path, info }) => {
      return { file: path, type: typeOf(info), bits: info.bits, ski: toHex(info.ski) };
    }),
    failures: failures.map(({ path, error }) => {
      return { file: path, code: error.code, message: error.message };
    }),
  };
}

function typeOf({ type, curve }: PublicKeyInfo): string {
  return type === "ec" ? `EC ${curve}` : TYPE_NAMES[type];
}

const TYPE_NAMES = { rsa: "RSA", ed25519: "Ed25519" } as const;

const NAME = "keys list";
const NO_KEYS = "there are no keys; name directories or files of them, here or in " +
  "private_key_stores of the configuration";
