/** Writes the pages of docs/ that derive from tables: `deno task docs`. */
import { writeFileSync } from "node:fs";
import { formatValue } from "../src/config/kinds.ts";
import { flagOf, isReadFrom, SETTING_KEYS, settingOf, variableOf } from "../src/config/settings.ts";
import { ERRORS, EXIT_MEANINGS } from "../src/errors/table.ts";

/** The text of docs/errors.md. */
export function errorsPage(): string {
  const exits = Object.entries(EXIT_MEANINGS).map(([exit, meaning]) => `| ${exit} | ${meaning} |`);
  const errors = Object.entries(ERRORS).map(([code, row]) =>
    `| \`${code}\` | ${row.exit} | ${row.meaning} |`
  );
  return [
    "# Errors",
    "",
    "Made from `src/errors/table.ts` by `deno task docs`.",
    "",
    "## Exit codes",
    "",
    "| exit code | meaning |",
    "| --------- | ------- |",
    ...exits,
    "",
    "## Error codes",
    "",
    "Every error has a stable code, in logs and in `--json`, beside a message that says what was asked,",
    "what stood in the way and what to do next. A command that ends with it has the exit code given here.",
    "",
    "| code | exit code | meaning |",
    "| ---- | --------- | ------- |",
    ...errors,
    "",
  ].join("\n");
}

/** The text of docs/configuration.md. */
export function configurationPage(): string {
  const rows = SETTING_KEYS.map((key) => {
    const setting = settingOf(key);
    const file = isReadFrom(key, "file") ? "yes" : "no";
    const flag = isReadFrom(key, "flag") ? `\`${flagOf(key)}\`` : "no";
    const variable = isReadFrom(key, "env") ? `\`${variableOf(key)}\`` : "no";
    const value = formatValue(setting, setting.default);
    const later = setting.later === undefined ? "" : ` (${setting.later.say})`;
    return `| \`${key}\` | ${file} | ${flag} | ${variable} | ${value} | ${setting.help}${later} |`;
  });
  return [
    "# Configuration",
    "",
    "Made from `src/config/settings.ts` by `deno task docs`.",
    "",
    "A flag wins over a variable, that over the file, that over the default. In flags `_` and `-` are the",
    "same. The file is the one that `--config-file` names, else `./gokeyless.yaml`, else",
    "`/etc/keyless/gokeyless.yaml`. An empty value in the file or in a variable counts as not set.",
    "",
    "Durations are Go's (`500ms`, `1h30m`) with `d` for days; a bare number is seconds. `keyless config show`",
    "lists every value with where it comes from; `keyless config check` says what is wrong.",
    "",
    "| setting | in the file | flag | variable | default | meaning |",
    "| ------- | ----------- | ---- | -------- | ------- | ------- |",
    ...rows,
    "",
  ].join("\n");
}

/** Where the page of `configurationPage` stands. */
export const CONFIGURATION_PAGE = new URL("../docs/configuration.md", import.meta.url);

/** Where the page of `errorsPage` stands. */
export const ERRORS_PAGE = new URL("../docs/errors.md", import.meta.url);

if (import.meta.main) {
  writeFileSync(ERRORS_PAGE, errorsPage());
  writeFileSync(CONFIGURATION_PAGE, configurationPage());
}
