import process from "node:process";
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import type { LoadedSettings } from "../../src/config/load.ts";
import { SETTING_KEYS, type SettingKey, settingOf } from "../../src/config/settings.ts";
import { KeylessError } from "../../src/errors/errors.ts";
import { printable } from "../../src/errors/printable.ts";
import { attempt, problemsOf, together } from "../failures.ts";
import { addHelp } from "../help.ts";
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
    .option("--json", "print the result as JSON")
    .action((options: Record<string, unknown>) => check(options));
  addSettingOptions(command);
  addHelp(command, [
    { line: "keyless config check", what: "check what serve would use here" },
    {
      line: "keyless config check --config-file new.yaml && mv new.yaml gokeyless.yaml",
      what: "check before putting a file into place",
    },
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
    else showFound(found, warnings);
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
  const prepared = await attempt(failures, () => prepareServer(loaded.settings));
  prepared?.store.close();
  warnings.push(...prepared?.warnings ?? []);
  failures.push(...(prepared?.faults ?? []).map((text) => new KeylessError("CHECK_FAILED", text)));
  warnings.push(...await checkPlaces(loaded.settings, failures));
  if (prepared === undefined || failures.length > 0) throw together(failures);
  return foundBy(loaded, prepared);
}

type Found = ReturnType<typeof foundBy>;

function foundBy({ configFile }: LoadedSettings, prepared: PreparedServer) {
  const { chain: [certificate], authorities, engine, store } = prepared;
  return {
    configFile: configFile ?? null,
    certificate: { subject: certificate.subject, notAfter: certificate.notAfter.toISOString() },
    authorities: authorities.map(({ subject, notAfter }) => {
      return { subject, notAfter: notAfter.toISOString() };
    }),
    engine: { name: engine.name, version: engine.version },
    keys: store.size,
    keysLeftOut: store.failures.length,
  };
}

function showFound(found: Found, warnings: readonly string[]): void {
  showWarnings(warnings);
  const { configFile, certificate, authorities, engine, keys, keysLeftOut } = found;
  const leftOut = keysLeftOut === 0 ? "" : `, ${keysLeftOut} left out`;
  printText([
    `ok  configuration  ${configFile === null ? "no file, defaults alone" : printable(configFile)}`,
    `ok  certificate    ${printable(certificate.subject)}, until ${certificate.notAfter}`,
    ...authorities.map((authority) => `ok  clients' CA    ${printable(authority.subject)}`),
    `ok  engine         ${engine.name}, ${engine.version}`,
    `ok  keys           ${keys}${leftOut}`,
  ].join("\n"));
}

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
