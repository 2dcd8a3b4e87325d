import process from "node:process";
import type { ConfigFile } from "../src/config/file.ts";
import { type LoadedSettings, resolveSettings } from "../src/config/load.ts";
import { SETTING_KEYS, type SettingKey, variableOf } from "../src/config/settings.ts";
import type { FlagTexts } from "../src/config/sources.ts";

/**
 * The settings of a command that reads keys. Of the environment, variables of settings that it does
 * not use have no say, and cannot be wrong.
 *
 * @param used the settings that the command takes as flags
 * @throws ConfigError
 */
export function resolveKeySettings(
  used: readonly SettingKey[],
  { flags, file }: { readonly flags: FlagTexts; readonly file?: ConfigFile | undefined },
): LoadedSettings {
  const unused = new Set(SETTING_KEYS.filter((key) => !used.includes(key)).map(variableOf));
  const variables = Object.entries(process.env).filter(([name]) => !unused.has(name));
  return resolveSettings({ flags, file, env: Object.fromEntries(variables), unknownKeys: "warn" });
}
