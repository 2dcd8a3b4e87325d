import process from "node:process";
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import type { LoadedSettings } from "../../src/config/load.ts";
import { SETTING_KEYS, type SettingKey, settingOf } from "../../src/config/settings.ts";
import { KeylessError } from "../../src/errors/errors.ts";
import { printable } from "../../src/errors/printable.ts";
import type { HsmObserver } from "../../src/hsm/open_hsm_store.ts";
import { attempt, problemsOf, together } from "../failures.ts";
import { addHelp } from "../help.ts";
import { keyFields } from "../key_fields.ts";
import { formatTable, printDocument, printText, printWarning } from "../output.ts";
import type { PreparedServer } from "../prepare.ts";
import { addSettingOptions, readSettingOptions } from "../setting_options.ts";

/** `keyless config`: what a configuration says, and whether a server could run with it. */
export function configCommand(): CommandUnknownOpts {
  const config = new Command("config").description("check and show the configuration");
  config.addCommand(checkCommand());
  config.addCommand(showCommand());
  addHelp(config, [
    { line: "keyless config check", what: "is everything there that serve needs?" },
    { line: "keyless config show", what: "every setting, its value, and where it comes from" },
  ]);
  return config;
}

function checkCommand(): CommandUnknownOpts {
  const command: CommandUnknownOpts = new Command("check")
    .description("check the configuration: open what it names, and try where it listens")
    .option("--connect", "open PKCS#11 tokens too, and sign once with each of their keys")
    .option("--json", "print the result as JSON")
    .action((options: Record<string, unknown>) => check(options));
  addSettingOptions(command);
  addHelp(command, [
    { line: "keyless config check", what: "check what serve would use here" },
    {
      line: "keyless config check --config-file new.yaml && mv new.yaml gokeyless.yaml",
      what: "check before putting a file into place",
    },
    { line: "keyless config check --connect", what: "do the PKCS#11 tokens sign?" },
  ]);
  return command;
}

function showCommand(): CommandUnknownOpts {
  const command: CommandUnknownOpts = new Command("show")
    .description("show every setting, its value, and where it comes from; secrets are masked")
    .option("--json", "print JSON")
    .action((options: Record<string, unknown>) => show(options));
  addSettingOptions(command);
  addHelp(command, [
    { line: "keyless config show", what: "what serve would use here" },
    {
      line: "keyless config show --json | jq .settings.port.origin",
      what: "who sets the port?",
    },
  ]);
  return command;
}

async function show(options: Readonly<Record<string, unknown>>): Promise<void> {
  const loaded = await load(options, "warn");
  const { formatValue } = await import("../../src/config/kinds.ts");
  const { maskedText } = await import("../../src/config/masked.ts");
  const valueOf = (key: SettingKey) => {
    const setting = settingOf(key);
    return maskedText(setting, formatValue(setting, loaded.settings[key]));
  };
  if (options["json"]) {
    const settings = SETTING_KEYS.map((key) => {
      const origin = loaded.origins[key];
      return [key, { value: valueOf(key), origin }] as const;
    });
    const fields = {
      configFile: loaded.configFile ?? null,
      settings: Object.fromEntries(settings),
    };
    return printDocument(fields, loaded.warnings);
  }
  for (const warning of loaded.warnings) printWarning("config show", warning);
  const rows = SETTING_KEYS.map((key) => [key, valueOf(key), loaded.origins[key]]);
  printText(formatTable(["KEY", "VALUE", "FROM"], rows));
}

async function check(options: Readonly<Record<string, unknown>>): Promise<void> {
  const warnings: string[] = [];
  try {
    const found = await open(options, warnings);
    if (options["json"]) printDocument({ ok: true, ...found }, warnings);
    else await showFound(found, warnings);
  } catch (thrown) {
    if (!(thrown instanceof KeylessError)) throw thrown;
    if (!options["json"]) {
      showWarnings(warnings);
      throw thrown;
    }
    printDocument({ ok: false }, warnings, problemsOf(thrown));
    process.exitCode = thrown.exitCode;
  }
}

/** Warnings are told also where it throws. */
async function open(
  options: Readonly<Record<string, unknown>>,
  warnings: string[],
): Promise<Found> {
  const loaded = await load(options, "refuse");
  warnings.push(...loaded.warnings);
  const { prepareServer } = await import("../prepare.ts");
  const { checkPlaces } = await import("../check_places.ts");
  const failures: KeylessError[] = [];
  const connects = options["connect"] === true;
  const prepared = await attempt(
    failures,
    () => prepareServer(loaded.settings, connects ? { hsm: SILENT } : {}),
  );
  if (prepared?.hsm !== undefined) {
    const { proveTokenKeys } = await import("../prove_token_keys.ts");
    failures.push(...await proveTokenKeys(prepared.hsm).finally(() => prepared.hsm?.close()));
  }
  prepared?.store.close();
  warnings.push(...prepared?.warnings ?? []);
  failures.push(...(prepared?.faults ?? []).map((text) => new KeylessError("CHECK_FAILED", text)));
  warnings.push(...await checkPlaces(loaded.settings, failures));
  if (prepared === undefined || failures.length > 0) throw together(failures);
  return foundBy(loaded, prepared);
}

type Found = ReturnType<typeof foundBy>;

function foundBy({ configFile, settings }: LoadedSettings, prepared: PreparedServer) {
  const { chain: [certificate], authorities, engine, store, hsm } = prepared;
  return {
    configFile: configFile ?? null,
    certificate: { subject: certificate.subject, notAfter: certificate.notAfter.toISOString() },
    authorities: authorities.map(({ subject, notAfter }) => {
      return { subject, notAfter: notAfter.toISOString() };
    }),
    engine: { name: engine.name, version: engine.version },
    keys: store.size,
    keysLeftOut: store.failures.length,
    /** Entries of PKCS#11 tokens; null as keys where they were not opened. */
    tokenEntries: settings.private_key_stores.filter((entry) => "uri" in entry).length,
    tokenKeys: hsm?.keys.map(({ entry, name, info }) => ({ entry, name, ...keyFields(info) })) ??
      null,
  };
}

async function showFound(found: Found, warnings: readonly string[]): Promise<void> {
  const { shorten } = await import("../load_keys.ts");
  showWarnings(warnings);
  const { configFile, certificate, authorities, engine, keys, keysLeftOut } = found;
  const leftOut = keysLeftOut === 0 ? "" : `, ${keysLeftOut} left out`;
  printText([
    `ok  configuration  ${configFile === null ? "no file, defaults alone" : printable(configFile)}`,
    `ok  certificate    ${printable(certificate.subject)}, until ${certificate.notAfter}`,
    ...authorities.map((authority) => `ok  clients' CA    ${printable(authority.subject)}`),
    `ok  engine         ${engine.name}, ${engine.version}`,
    `ok  keys           ${keys}${leftOut}`,
    ...shorten(tokenLines(found)),
  ].join("\n"));
}

function tokenLines({ tokenEntries, tokenKeys }: Found): readonly string[] {
  if (tokenKeys !== null) {
    return tokenKeys.map(({ entry, name }) => `ok  key in token   ${name} of ${entry}, signs`);
  }
  if (tokenEntries === 0) return [];
  return [`--  keys in tokens ${tokenEntries} named, not opened: --connect does`];
}

/** It is over before anything can happen to them. */
const SILENT: HsmObserver = {
  tokenAway: () => {},
  tokenBack: () => {},
  tokenLimited: () => {},
  keyMissing: () => {},
  keyBack: () => {},
  processDied: () => {},
  output: () => {},
};

function showWarnings(warnings: readonly string[]): void {
  for (const warning of warnings) printWarning("config check", warning);
}

async function load(
  options: Readonly<Record<string, unknown>>,
  unknownKeys: "refuse" | "warn",
): Promise<LoadedSettings> {
  const { loadSettings } = await import("../../src/config/load.ts");
  return loadSettings({ ...readSettingOptions(options), env: process.env, unknownKeys });
}
