import { type CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import { KeylessError } from "../src/errors/errors.ts";
import { formatDuration } from "../src/text/duration.ts";
import {
  flagOf,
  isReadFrom,
  type Kind,
  type Setting,
  SETTING_KEYS,
  type SettingKey,
  settingOf,
  variableOf,
} from "../src/config/settings.ts";
import type { FlagTexts } from "../src/config/sources.ts";

/** Adds `--config-file` and a flag for every setting that may be one. */
export function addSettingOptions(command: CommandUnknownOpts): void {
  addConfigFileOption(command);
  addSettingFlags(command, SETTING_KEYS);
}

export function addConfigFileOption(command: CommandUnknownOpts): void {
  command.option(
    "-c, --config-file <file>",
    "configuration (default: ./gokeyless.yaml, then /etc/keyless/gokeyless.yaml)",
  );
}

/** Adds a flag for each of the settings that may be one. */
export function addSettingFlags(
  command: CommandUnknownOpts,
  keys: readonly SettingKey[],
): void {
  for (const key of keys) {
    if (isReadFrom(key, "flag")) command.addOption(optionOf(key));
    // taken, so that the error can say what to do and need not quote the secret
    else if (settingOf(key).secret) {
      command.addOption(new Option(`${flagOf(key)} [secret]`).hideHelp());
    }
  }
}

/**
 * The flags that `addSettingOptions` made, as they were given.
 *
 * @param options the command's `opts()`
 * @throws KeylessError "USAGE" for a secret that must not be a flag
 */
export function readSettingOptions(options: Readonly<Record<string, unknown>>): {
  readonly flags: FlagTexts;
  readonly configFile: string | undefined;
} {
  const flags: Partial<Record<SettingKey, string>> = {};
  for (const key of SETTING_KEYS) {
    const given = options[new Option(flagOf(key)).attributeName()];
    if (given === undefined) continue;
    if (!isReadFrom(key, "flag")) throw refuseSecret(key);
    flags[key] = String(given); // `true` for a switch without a value
  }
  return { flags, configFile: options["configFile"] as string | undefined };
}

function optionOf(key: SettingKey): Option {
  const setting = settingOf(key);
  const short = setting.short === undefined ? "" : `${setting.short}, `;
  const placeholder = setting.placeholder ?? PLACEHOLDERS[setting.kind];
  const value = setting.kind === "switch" ? `[${placeholder}]` : `<${placeholder}>`;
  const option = new Option(`${short}${flagOf(key)} ${value}`, setting.help + defaultText(setting));
  // the loader reads the texts; a list may be given in several flags
  if (setting.kind === "list") option.argParser(joinList);
  if (setting.choices !== undefined) option.argChoices = [...setting.choices];
  return option;
}

function joinList(value: string, previous: unknown): string {
  return previous === undefined ? value : `${previous},${value}`;
}

function defaultText({ kind, default: value }: Setting): string {
  if (value === "" || value === false || kind === "list") return "";
  return ` (default: ${kind === "duration" ? formatDuration(Number(value)) : value})`;
}

function refuseSecret(key: SettingKey): KeylessError {
  return new KeylessError(
    "USAGE",
    `${flagOf(key)} is no flag, because other users of the machine could read it; ` +
      `set ${variableOf(key)} (${settingOf(key).help})`,
  );
}

const PLACEHOLDERS: Readonly<Record<Kind, string>> = {
  text: "text",
  file: "file",
  socket: "path",
  url: "url",
  host_port: "host:port",
  metric_name: "name",
  address: "address",
  collector: "address",
  http_address: "address",
  time: "time",
  port: "port",
  switch: "true|false",
  duration: "duration",
  count: "number",
  ratio: "ratio",
  loglevel: "level",
  choice: "name",
  list: "names",
  stores: "list",
};
