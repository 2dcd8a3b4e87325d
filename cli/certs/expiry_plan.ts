import { readConfigFile } from "../../src/config/file.ts";
import { KeylessError } from "../../src/errors/errors.ts";
import { resolveKeySettings } from "../key_settings.ts";
import { readThresholds, type Thresholds } from "./expiry_check.ts";
import type { ExpiryFlags, Format } from "./expiry_flags.ts";
import { formatOf } from "./format_flag.ts";
import { readSourceOptions } from "./source_options.ts";
import type { SourceOptions } from "./sources.ts";
import { textfileFlaws } from "./textfile.ts";

/** What is read, and what is made of it. */
export interface ExpiryPlan extends ReportPlan {
  readonly sources: readonly string[];
  /** The files that the configuration names. */
  readonly configured: readonly string[];
  /** The passphrase in it is the caller's, to be overwritten. */
  readonly options: SourceOptions;
}

export interface ReportPlan {
  /** How to print; undefined: not at all. */
  readonly format: Format | undefined;
  readonly textfile: string | undefined;
  /** Undefined where nothing is to be checked. */
  readonly thresholds: Thresholds | undefined;
  /** Show where errors were thrown. */
  readonly debug: boolean;
  /** One printable line each. */
  readonly warnings: readonly string[];
}

/**
 * Puts flags, configuration and files together, before a source is read.
 *
 * @throws KeylessError "USAGE"; ConfigError; as `readSourceOptions`
 */
export async function readPlan(
  named: readonly string[],
  flags: ExpiryFlags & Readonly<Record<string, unknown>>,
): Promise<ExpiryPlan> {
  const thresholds = readThresholds(flags);
  const format = readFormat(flags, thresholds !== undefined);
  const { textfile, configFile } = flags;
  if (textfile === "") throw new KeylessError("USAGE", "--textfile is empty; name a file");
  const warnings: string[] = [];
  if (textfile !== undefined) warnings.push(...textfileFlaws(textfile));
  const configured = configFile === undefined ? [] : readConfigured(configFile, warnings);
  if (named.length + configured.length === 0) {
    throw new KeylessError(
      "USAGE",
      "no source: give files, directories, host:port or -, or --config-file gokeyless.yaml",
    );
  }
  const options = await readSourceOptions(flags, warnings);
  const debug = flags.debug === true;
  return { sources: named, configured, options, format, textfile, thresholds, debug, warnings };
}

/** A check says more in a table than in series; who writes series to a file need not see them. */
function readFormat({ format, json, textfile }: ExpiryFlags, isCheck: boolean): Format | undefined {
  const chosen = formatOf({ format, json });
  if (chosen !== undefined || textfile !== undefined) return chosen;
  return isCheck ? "table" : "prometheus";
}

/** The paths as the server would have them. */
function readConfigured(configFile: string, warnings: string[]): string[] {
  const file = readConfigFile(configFile);
  const keys = ["auth_cert", "cloudflare_ca_cert"] as const;
  const { settings, warnings: told } = resolveKeySettings(keys, { flags: {}, file });
  warnings.push(...told);
  return keys.map((key) => settings[key]);
}
