import process from "node:process";
import type { LoadedSettings } from "../src/config/load.ts";
import { loadSettings, resolveSettings } from "../src/config/load.ts";
import type { FlagTexts } from "../src/config/sources.ts";
import { KeylessError } from "../src/errors/errors.ts";
import type { DevDirectory } from "../src/pki/dev.ts";
import { printable } from "../src/errors/printable.ts";
import { isLoopback } from "../src/status/http_address.ts";
import { readSettingOptions } from "./setting_options.ts";

/**
 * The settings that `serve` runs with. With `--dev` they are those of the dev directory and the
 * flags alone: neither a configuration file nor a variable of the real server has a say.
 *
 * @param options the command's `opts()`
 * @throws ConfigError; KeylessError "USAGE" where `--dev` meets what it excludes
 */
export function serveSettings(
  options: Readonly<Record<string, unknown>>,
  dev: DevDirectory | undefined,
): LoadedSettings {
  const { flags, configFile } = readSettingOptions(options);
  if (dev === undefined) {
    return loadSettings({ flags, configFile, env: process.env, unknownKeys: "warn" });
  }
  if (configFile !== undefined) {
    throw new KeylessError(
      "USAGE",
      "--dev brings its own configuration; leave out --dev, or --config-file",
    );
  }
  const bind = flags.bind ?? LOOPBACK;
  if (!isLoopback(bind)) {
    throw new KeylessError(
      "USAGE",
      `--bind ${printable(bind)}: --dev serves on loopback alone, with keys that nobody guards; ` +
        "leave out --bind, or --dev",
    );
  }
  return resolveSettings({
    flags: { ...devFlags(dev), ...flags },
    env: {},
    file: undefined,
    unknownKeys: "warn",
  });
}

const LOOPBACK = "127.0.0.1";

function devFlags(dev: DevDirectory): FlagTexts {
  return {
    bind: LOOPBACK,
    metrics_bind: LOOPBACK,
    auth_cert: dev.serverCertificate,
    auth_key: dev.serverKey,
    cloudflare_ca_cert: dev.ca,
    private_key_dirs: dev.keysDirectory,
    keep_going: "true", // without OpenSSL the EC keys are left out, and the rest can be tried
  };
}
