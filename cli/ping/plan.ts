import { type CredentialPems, readCredentials } from "../../src/client/credentials.ts";
import { parseEndpoint } from "../../src/client/endpoint.ts";
import { acceptedBy, parseValue } from "../../src/config/kinds.ts";
import type { Setting } from "../../src/config/settings.ts";
import type { SignScheme } from "../../src/crypto/scheme.ts";
import { KeylessError } from "../../src/errors/errors.ts";
import type { DevDirectory } from "../../src/pki/dev.ts";
import { printable, quoted } from "../../src/errors/printable.ts";
import { readNamedFile } from "../named_file.ts";
import type { Target } from "./check_target.ts";
import { pingSubject, type Subject } from "./question.ts";
import { readSigning } from "./signing_key.ts";

/** The flags of `keyless ping`; numbers and durations as they were typed. */
export interface PingFlags {
  readonly cert?: string;
  readonly key?: string;
  readonly ca?: string;
  readonly serverName?: string;
  readonly count: string;
  readonly interval: string;
  readonly timeout: string;
  readonly wait?: string;
  readonly minHealthy?: string;
  readonly op: "ping" | "sign";
  readonly ski?: string;
  readonly public?: string;
  readonly scheme?: SignScheme;
  readonly json?: true;
}

/** What is checked, and with what. */
export interface PingPlan {
  readonly targets: readonly Target[];
  readonly subject: Subject;
  readonly minHealthy: number;
  /** Requests to each target. */
  readonly count: number;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly waitMs: number;
  /** The directory of `--dev` where all credentials are taken from it. */
  readonly devDirectory: string | undefined;
}

/**
 * Puts flags and files together, before anything is sent.
 *
 * @throws KeylessError "USAGE"; for files as `readCredentials` and `readSigning`
 */
export function readPlan(
  texts: readonly string[],
  flags: PingFlags,
  dev: DevDirectory | undefined,
): PingPlan {
  const count = readNumber("--count", flags.count, COUNT);
  const intervalMs = readNumber("--interval", flags.interval, DURATION);
  const timeoutMs = readNumber("--timeout", flags.timeout, { ...DURATION, minMs: 1 });
  const waitMs = flags.wait === undefined ? 0 : readNumber("--wait", flags.wait, DURATION);
  const endpoints = texts.length > 0 || dev === undefined
    ? texts.map((text) => parseEndpoint(text))
    : [parseEndpoint(DEV_TARGET)];
  if (endpoints.length === 0) {
    throw new KeylessError("USAGE", "no target: give host[:port] or unix:/path, or --dev");
  }
  const minHealthy = flags.minHealthy === undefined
    ? endpoints.length
    : readNumber("--min-healthy", flags.minHealthy, COUNT);
  if (minHealthy > endpoints.length) {
    const given = endpoints.length === 1 ? "one target is" : `${endpoints.length} targets are`;
    throw new KeylessError("USAGE", `--min-healthy is ${minHealthy}, but only ${given} given`);
  }
  const credentials = readCredentialFiles(flags, dev);
  const { serverName } = flags;
  if (serverName === "") throw new KeylessError("USAGE", "--server-name is empty; leave it out");
  const targets = endpoints.map((endpoint) => ({ endpoint, credentials, serverName }));
  const isAllDev = (flags.cert ?? flags.key ?? flags.ca) === undefined;
  const devDirectory = isAllDev ? dev?.directory : undefined;
  const subject = readSubject(flags, dev);
  return { targets, subject, minHealthy, count, intervalMs, timeoutMs, waitMs, devDirectory };
}

/** Where `keyless serve --dev` listens. */
const DEV_TARGET = "127.0.0.1";

type NumberSetting = Pick<Setting, "kind" | "min" | "max" | "minMs">;

/** As the settings of the server are read. */
function readNumber(flag: string, text: string, row: NumberSetting): number {
  const setting = { default: 0, help: "", ...row };
  const parsed = parseValue(setting, text);
  if (parsed !== undefined) return Number(parsed.value);
  throw new KeylessError("USAGE", `${flag} is ${quoted(text)}; give ${acceptedBy(setting)}`);
}

const COUNT: NumberSetting = { kind: "count", min: 1, max: 1_000_000 };
const DURATION: NumberSetting = { kind: "duration", minMs: 0 };

function readSubject(flags: PingFlags, dev: DevDirectory | undefined): Subject {
  if (flags.op === "sign") return readSigning(flags, dev?.keysDirectory);
  for (const name of ["ski", "public", "scheme"] as const) {
    if (flags[name] !== undefined) {
      throw new KeylessError("USAGE", `--${name} says what to sign with: add --op sign`);
    }
  }
  return pingSubject();
}

function readCredentialFiles(
  flags: PingFlags,
  dev: DevDirectory | undefined,
): ReturnType<typeof readCredentials> {
  const paths = {
    certificate: flags.cert ?? dev?.clientCertificate,
    key: flags.key ?? dev?.clientKey,
    ca: flags.ca ?? dev?.ca,
  };
  const missing = FIELDS.filter((field) => paths[field] === undefined).map((field) => FLAGS[field]);
  if (missing.length > 0) {
    throw new KeylessError(
      "USAGE",
      `${
        missing.join(", ").replace(/, (?=[^,]*$)/, " and ")
      } must be given: key servers talk to clients with a certificate ` +
        "alone (with a server of `keyless serve --dev`, --dev gives all three)",
    );
  }
  const nameOf = (field: keyof CredentialPems) => `${FLAGS[field]} ${printable(paths[field]!)}`;
  const names = { certificate: nameOf("certificate"), key: nameOf("key"), ca: nameOf("ca") };
  const read = (field: keyof CredentialPems) => readNamedFile(paths[field]!, names[field]).bytes;
  const pems = { certificate: read("certificate"), key: read("key"), ca: read("ca") };
  try {
    return readCredentials(pems, names);
  } finally {
    pems.key.fill(0);
  }
}

const FIELDS = ["certificate", "key", "ca"] as const;
const FLAGS = { certificate: "--cert", key: "--key", ca: "--ca" } as const;
