import { printable } from "../errors/printable.ts";
import { isLoopback, parseHttpAddress } from "../status/http_address.ts";
import { type ConfigFile, readConfigFile } from "./file.ts";
import { type Problem, problemLine, throwProblems } from "./problem.ts";
import {
  type KeyStoreSetting,
  SETTING_KEYS,
  type SettingKey,
  settingOf,
  type Settings,
} from "./settings.ts";
import {
  type FlagTexts,
  readEnvironmentSettings,
  readFileSettings,
  readFlagSettings,
  type Reading,
} from "./sources.ts";

export interface LoadRequest {
  readonly flags: FlagTexts;
  /** What `--config-file` names; else the search path is tried. */
  readonly configFile?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What a key of the file that is not known is: a problem, or a warning. */
  readonly unknownKeys: "refuse" | "warn";
}

export interface LoadedSettings {
  readonly settings: Settings;
  /** Where each value is from: "default", "file F:3", "environment KEYLESS_X", "flag --x". */
  readonly origins: Readonly<Record<SettingKey, string>>;
  /** One printable line each. */
  readonly warnings: readonly string[];
  /** The path of the file that was read. */
  readonly configFile: string | undefined;
}

/**
 * Reads all settings: flags, then KEYLESS_ variables, then the file, then defaults. Every value is
 * checked, also one that another source overrides.
 *
 * @throws ConfigError with every problem of every source; KeylessError "CONFIG_FILE" where the file
 *   itself cannot be read
 */
export function loadSettings(request: LoadRequest): LoadedSettings {
  return resolveSettings({ ...request, file: readConfigFile(request.configFile) });
}

/** `loadSettings` for a file that has been read. */
export function resolveSettings(
  { flags, env, file, unknownKeys }: Omit<LoadRequest, "configFile"> & {
    readonly file: ConfigFile | undefined;
  },
): LoadedSettings {
  const sources = [
    ...(file === undefined ? [] : [readFileSettings(file)]),
    readEnvironmentSettings(env),
    readFlagSettings(flags),
  ];
  const warnings = sources.flatMap((source) => source.warnings);
  const chosen = choose(sources.flatMap((source) => source.readings));
  const storesReplaced = chosen.has("private_key_dirs") || chosen.has("private_key_files");
  const problems = sources.flatMap((source) => source.problems).filter((problem) => {
    if (problem.key === "private_key_stores" && storesReplaced) return false;
    if (problem.code !== "CONFIG_UNKNOWN" || unknownKeys === "refuse") return true;
    warnings.push(`${problemLine(problem)} (ignored)`);
    return false;
  });
  const valueOf = (key: SettingKey) =>
    chosen.has(key) ? chosen.get(key)?.value : settingOf(key).default;
  const settings = Object.fromEntries(SETTING_KEYS.map((key) => [key, valueOf(key)])) as Settings;
  const refused = new Set(problems.map(({ key }) => key));
  throwProblems([...problems, ...findConflicts(settings, chosen, refused)]);
  return {
    settings,
    origins: Object.fromEntries(
      SETTING_KEYS.map((key) => [key, chosen.get(key)?.origin ?? "default"]),
    ) as Record<SettingKey, string>,
    warnings: [...warnings, ...warnOfIdle(settings, chosen)],
    configFile: file?.path,
  };
}

type Chosen = ReadonlyMap<SettingKey, Reading>;

/** The last reading of a key wins; the flags for directories and files replace the stores. */
function choose(readings: readonly Reading[]): Chosen {
  const chosen = new Map(readings.map((reading) => [reading.key, reading]));
  const dirs = chosen.get("private_key_dirs");
  const files = chosen.get("private_key_files");
  const first = dirs ?? files;
  if (first === undefined) return chosen;
  const both = [dirs, files].filter((each) => each !== undefined);
  const value: KeyStoreSetting[] = [
    ...(dirs?.value as string[] ?? []).map((dir) => ({ dir })),
    ...(files?.value as string[] ?? []).map((file) => ({ file })),
  ];
  const origin = both.map((each) => each.origin).join(", ");
  chosen.set("private_key_stores", { key: "private_key_stores", value, origin, place: origin });
  return chosen;
}

/**
 * Values that are right by themselves and cannot be followed.
 *
 * @param refused keys that were given, and stand at their default because their value is none
 */
function findConflicts(
  settings: Settings,
  chosen: Chosen,
  refused: ReadonlySet<SettingKey | undefined>,
): Problem[] {
  const problems: Problem[] = [];
  const refuse = (key: SettingKey, message: string) => {
    const place = chosen.get(key)?.place ?? "default";
    problems.push({ code: "CONFIG_VALUE", key, place, message });
  };
  const hasSocket = settings.unix_socket !== "" || refused.has("unix_socket");
  if (settings.port === "off" && !hasSocket) {
    refuse("port", "port is off and unix_socket is not set: nothing to listen on; set one of them");
  }
  if (settings.current_time !== "") {
    refuse(
      "current_time",
      "current_time is set, but TLS checks certificates by the system's clock alone; take it " +
        "out, and run the server under a tool like faketime to test another time",
    );
  }
  const powers = POWERS.filter((key) => settings[key]);
  if (powers.length > 0 && isOpenAndPlain(settings.status)) {
    refuse(
      "status",
      `status is ${
        printable(settings.status)
      }, plain HTTP that other machines reach, where nobody ` +
        `can prove to be allowed what ${
          powers.join(" and ")
        } serves; leave out http://, listen on ` +
        "127.0.0.1, or switch it off",
    );
  }
  if (settings.passphrase !== "" && settings.passphrase_file !== "") {
    refuse("passphrase", "passphrase_file is set as well; keep one of them");
  }
  return problems;
}

/** Settings that let the status port do what only an operator may. */
const POWERS = ["enable_pprof", "enable_shutdown"] as const satisfies SettingKey[];

function isOpenAndPlain(status: string): boolean {
  const address = parseHttpAddress(status);
  return address?.kind === "tcp" && !address.tls && !isLoopback(address.host);
}

/** Switches of the status port, where there is none, or without the switch that they need. */
function warnOfIdle(settings: Settings, chosen: Chosen): string[] {
  const { status, enable_pprof, enable_heap_profile } = settings;
  const place = (key: SettingKey) => chosen.get(key)?.place ?? "default";
  if (status === "") {
    const idle = [...POWERS, "enable_heap_profile" as const].filter((key) => settings[key]);
    return idle.map((key) =>
      `${place(key)}: ${key} has no effect without status; set --status too`
    );
  }
  if (!enable_heap_profile || enable_pprof) return [];
  const key = "enable_heap_profile";
  return [`${place(key)}: ${key} has no effect without enable_pprof; set --enable-pprof too`];
}
