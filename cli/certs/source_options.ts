import { Buffer } from "node:buffer";
import type { SecureContext } from "node:tls";
import { type CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import type { SettingKey } from "../../src/config/settings.ts";
import { KeylessError } from "../../src/errors/errors.ts";
import { printable, quoted } from "../../src/errors/printable.ts";
import { addSettingFlags, readSettingOptions } from "../setting_options.ts";
import type { SourceOptions } from "./sources.ts";

/** The flags of a command that reads sources, and in its `--help`, what sources are. */
export function addSourceOptions(command: CommandUnknownOpts): void {
  command.option("--cert <file>", "show servers this client certificate, PEM")
    .option("--key <file>", "its private key, PEM")
    .option("--server-name <name>", "ask servers for the certificate of this name (default: host)")
    .addOption(
      new Option("-W, --timeout <duration>", "for each server, to show its certificates")
        .default("5s", "5s"),
    );
  addSettingFlags(command, SETTINGS_USED);
  command.addHelpText("after", `\nSources:\n${SOURCE_RULES}`);
}

/** The settings among them. */
const SETTINGS_USED: readonly SettingKey[] = ["passphrase_file", "passphrase"];

/** Names of files that are looked at in a directory, in lower or upper case. */
export const CERTIFICATE_SUFFIXES = [
  "pem",
  "crt",
  "cer",
  "der",
  "p7b",
  "p7c",
  "p12",
  "pfx",
] as const;

/** The table that `readSources` follows. */
const SOURCE_RULES = `  -                what comes on standard input
  a file           PEM, DER, PKCS#7 or PKCS#12 (with --passphrase-file); whatever exists is a file
  a directory      its files *.${CERTIFICATE_SUFFIXES.join(", *.")}
  host:port        a TLS server (also [IPv6]:port, tls://host with port 443, unix:/path); nothing of
                   it is verified, it is only looked at
  '*.crt'          a pattern, quoted or not: the files that match (*, ?, [a-z], {a,b}, **)
  Files without certificates, such as keys, are passed over in directories and patterns.`;

/**
 * What the flags of `addSourceOptions` say.
 *
 * @param options the command's `opts()`
 * @param warnings takes one printable line each
 * @returns its passphrase is the caller's, to be overwritten after use
 * @throws KeylessError "USAGE"; for the files "FILE_READ", "CERTIFICATE_FORMAT", "KEY_FORMAT",
 *   "KEY_PASSPHRASE", "KEY_MISMATCH"; ConfigError for settings of the environment
 */
export async function readSourceOptions(
  options: Readonly<Record<string, unknown>>,
  warnings: string[],
): Promise<SourceOptions> {
  const { resolveKeySettings } = await import("../key_settings.ts");
  const { readPassphrase } = await import("../load_keys.ts");
  const { selectEngine } = await import("../../src/crypto/select_engine.ts");
  const { serverName } = options as Flags;
  if (serverName === "") throw new KeylessError("USAGE", "--server-name is empty; leave it out");
  const timeoutMs = await readTimeout(String(options["timeout"]));
  const clientContext = await readClientContext(options);
  const { flags } = readSettingOptions(options);
  const { settings, warnings: told } = resolveKeySettings(SETTINGS_USED, { flags });
  warnings.push(...told);
  const passphrase = readPassphrase(settings, (message) => warnings.push(message));
  return { timeoutMs, serverName, clientContext, passphrase, engine: selectEngine("auto") };
}

interface Flags {
  readonly cert?: string;
  readonly key?: string;
  readonly serverName?: string;
}

async function readTimeout(text: string): Promise<number> {
  const { acceptedBy, parseValue } = await import("../../src/config/kinds.ts");
  const setting = { kind: "duration", default: 0, help: "" } as const;
  const parsed = parseValue(setting, text);
  if (parsed !== undefined) return Number(parsed.value);
  throw new KeylessError("USAGE", `--timeout is ${quoted(text)}; give ${acceptedBy(setting)}`);
}

/** A key's bytes are overwritten once they have been read. */
async function readClientContext(
  { cert, key: keyPath }: Flags,
): Promise<SecureContext | undefined> {
  if (cert === undefined && keyPath === undefined) return undefined;
  if (cert === undefined || keyPath === undefined) {
    throw new KeylessError("USAGE", "--cert and --key belong together: give both or none");
  }
  const { readNamedFile } = await import("../named_file.ts");
  const { readPair } = await import("../../src/client/credentials.ts");
  const { createContext } = await import("./sources_host.ts");
  const names = { certificate: `--cert ${printable(cert)}`, key: `--key ${printable(keyPath)}` };
  const certificate = readNamedFile(cert, names.certificate).bytes;
  const keyBytes = readNamedFile(keyPath, names.key).bytes;
  try {
    readPair({ certificate, key: keyBytes }, names);
    const key = Buffer.from(keyBytes.buffer, keyBytes.byteOffset, keyBytes.length);
    return createContext({ cert: Buffer.from(certificate), key });
  } finally {
    keyBytes.fill(0);
  }
}
