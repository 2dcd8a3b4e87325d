import { printable } from "../errors/printable.ts";
import type { ConfigFile } from "./file.ts";
import { acceptedBy, parseValue } from "./kinds.ts";
import { mayHoldSecret } from "./masked.ts";
import { nearest } from "../text/nearest.ts";
import type { Problem } from "./problem.ts";
import {
  flagOf,
  isReadFrom,
  SETTING_KEYS,
  type SettingKey,
  settingOf,
  SETTINGS,
  variableOf,
} from "./settings.ts";
import { readStores } from "./stores.ts";
import { type Place, readYamlMap, type YamlEntry, type YamlValue } from "./yaml_text.ts";

/** A value that a source gives. */
export interface Reading {
  readonly key: SettingKey;
  readonly value: unknown;
  /** For `config show`: "file gokeyless.yaml:3", "environment KEYLESS_PORT", "flag --port". */
  readonly origin: string;
  /** For messages: the same, with the column. */
  readonly place: string;
}

/** What one source holds. */
export interface Findings {
  readonly readings: Reading[];
  readonly problems: Problem[];
  readonly warnings: string[];
}

/** Keys of the file that are not known are problems of code "CONFIG_UNKNOWN". */
export function readFileSettings(file: ConfigFile): Findings {
  const findings = noFindings();
  const placeOf = ({ line, column }: Place) => `${printable(file.path)}:${line}:${column}`;
  const { entries, faults } = readYamlMap(file.text);
  for (const fault of faults) {
    findings.problems.push({
      code: "CONFIG_FILE",
      place: placeOf(fault),
      message: fault.message,
    });
  }
  const lines = new Map<string, number>();
  for (const entry of entries) {
    const key = entry.key?.toLowerCase() ?? "";
    const place = placeOf(entry);
    const earlier = lines.get(key);
    lines.set(key, entry.line);
    const message = earlier === undefined
      ? undefined
      : `${printable(key, MAX_SHOWN)} stands in line ${earlier} already; keep one`;
    if (message !== undefined) findings.problems.push({ code: "CONFIG_FILE", place, message });
    else if (!isKey(key) || !isReadFrom(key, "file")) {
      findings.problems.push({ place, ...notReadFromFile(key) });
    } else readEntry(key, entry, file, placeOf, findings);
  }
  return findings;
}

/**
 * Variables that are not known are not ours: there may be others that start with KEYLESS_. Only what
 * looks like a mistyped one is told.
 */
export function readEnvironmentSettings(
  env: Readonly<Record<string, string | undefined>>,
): Findings {
  const findings = noFindings();
  for (const key of SETTING_KEYS) {
    const variable = variableOf(key);
    const text = env[variable];
    if (text === undefined || text === "") continue; // an empty one counts as not set
    const place = `environment ${variable}`;
    if (!isReadFrom(key, "env")) {
      const where = isReadFrom(key, "flag") ? `give ${flagOf(key)}` : "set it in the file";
      findings.warnings.push(`${place}: ignored, this is not read from the environment; ${where}`);
    } else if (settingOf(key).kind === "port" && KUBERNETES_PORT.test(text)) {
      findings.warnings.push(`${place}: ignored, ${kubernetesAdvice(key, text)}`);
    } else readText(key, text, { place, origin: place }, findings);
  }
  findings.warnings.push(...warnOfTypos(env));
  return findings;
}

function warnOfTypos(env: Readonly<Record<string, string | undefined>>): string[] {
  const known = SETTING_KEYS.filter((key) => isReadFrom(key, "env"));
  return Object.entries(env).flatMap(([variable, text = ""]) => {
    const isOthers = text === "" || KUBERNETES_PORT.test(text);
    if (!variable.startsWith(PREFIX) || isOthers) return [];
    const name = variable.slice(PREFIX.length).toLowerCase();
    const meant = isKey(name) ? undefined : nearest(name, known);
    if (meant === undefined) return [];
    const place = `environment ${printable(variable, MAX_SHOWN)}`;
    return [`${place}: ignored, it is no setting; did you mean ${variableOf(meant)}?`];
  });
}

export function readFlagSettings(flags: FlagTexts): Findings {
  const findings = noFindings();
  for (const key of SETTING_KEYS) {
    const text = flags[key];
    const place = `flag ${flagOf(key)}`;
    if (text === undefined) continue;
    readText(key, text, { place, origin: place }, findings);
    const { kind, secret } = settingOf(key);
    if (secret || (kind === "url" && text.includes("@"))) {
      const others = "other users of the machine see it in the list of processes";
      findings.warnings.push(`${place}: ${others}; set ${variableOf(key)} instead`);
    }
  }
  return findings;
}

/** The flags that were given, by the key of their setting. */
export type FlagTexts = { readonly [Key in SettingKey]?: string | undefined };

function readEntry(
  key: SettingKey,
  entry: YamlEntry,
  file: ConfigFile,
  placeOf: (at: Place) => string,
  findings: Findings,
): void {
  const { value } = entry;
  const place = placeOf(value);
  const origin = `file ${printable(file.path)}:${value.line}`;
  if (value.type === "scalar" && !value.text) return; // `key:` alone counts as not set
  if (settingOf(key).kind === "stores") {
    const report = (at: YamlValue, problem: Pick<Problem, "code" | "message">) =>
      findings.problems.push({ key, place: placeOf(at), ...problem });
    findings.readings.push({ key, value: readStores(value, report), origin, place });
  } else if (value.type === "scalar") {
    readText(key, value.text ?? "", { place, origin }, findings);
  } else {
    const message = `${key} is a ${value.type}; give ${acceptedBy(settingOf(key))}`;
    findings.problems.push({ code: "CONFIG_VALUE", key, place, message });
  }
}

function readText(
  key: SettingKey,
  text: string,
  { place, origin }: Pick<Reading, "place" | "origin">,
  { readings, problems }: Findings,
): void {
  const setting = settingOf(key);
  const parsed = parseValue(setting, text);
  if (parsed !== undefined) {
    readings.push({ key, value: parsed.value, origin, place });
    return;
  }
  const shown = mayHoldSecret(setting, text) ? "not usable" : `"${printable(text, MAX_SHOWN)}"`;
  const message = `${key} is ${shown}; give ${acceptedBy(setting)}`;
  problems.push({ code: "CONFIG_VALUE", key, place, message });
}

function notReadFromFile(key: string): Pick<Problem, "code" | "message"> {
  const name = printable(key, MAX_SHOWN);
  if (isKey(key) && settingOf(key).secret) {
    const message = `${name} is read from the environment alone; set ${variableOf(key)}`;
    return { code: "CONFIG_VALUE", message };
  }
  if (isKey(key)) {
    return { code: "CONFIG_UNKNOWN", message: `${name} is a flag alone; give ${flagOf(key)}` };
  }
  const meant = nearest(key, SETTING_KEYS.filter((each) => isReadFrom(each, "file")));
  const advice = meant === undefined
    ? "`keyless config show` lists the known ones"
    : `did you mean ${meant}?`;
  return { code: "CONFIG_UNKNOWN", message: `"${name}" is no setting; ${advice}` };
}

function kubernetesAdvice(key: SettingKey, text: string): string {
  return `"${
    printable(text, MAX_SHOWN)
  }" is what Kubernetes sets for a Service whose name begins ` +
    `like the variable; rename the Service, set enableServiceLinks: false, or give ${flagOf(key)}`;
}

function isKey(key: string): key is SettingKey {
  return Object.hasOwn(SETTINGS, key);
}

function noFindings(): Findings {
  return { readings: [], problems: [], warnings: [] };
}

const KUBERNETES_PORT = /^(?:tcp|udp|sctp):\/\//;
const PREFIX = "KEYLESS_";
const MAX_SHOWN = 80;
