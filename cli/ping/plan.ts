import { type CredentialPems, readCredentials } from "../../src/client/credentials.ts";
import { parseEndpoint } from "../../src/client/endpoint.ts";
import type { SignScheme } from "../../src/crypto/scheme.ts";
import { KeylessError, messageOf } from "../../src/errors/errors.ts";
import { readRegularFile } from "../../src/keystore/read_file.ts";
import type { DevDirectory } from "../../src/pki/dev.ts";
import { printable } from "../../src/errors/printable.ts";
import type { Target } from "./check_target.ts";
import { pingSubject, type Subject } from "./question.ts";
import { readSigning } from "./signing_key.ts";

/** The flags of `keyless ping`, parsed one by one. */
export interface PingFlags {
  readonly cert?: string;
  readonly key?: string;
  readonly ca?: string;
  readonly serverName?: string;
  readonly count: number;
  /** Milliseconds, as all durations here. */
  readonly interval: number;
  readonly timeout: number;
  readonly wait: number;
  readonly minHealthy?: number;
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
  const endpoints = texts.length > 0 || dev === undefined
    ? texts.map((text) => parseEndpoint(text))
    : [parseEndpoint(DEV_TARGET)];
  if (endpoints.length === 0) {
    throw new KeylessError("USAGE", "no target: give host[:port] or unix:/path, or --dev");
  }
  const minHealthy = flags.minHealthy ?? endpoints.length;
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
  return { targets, subject: readSubject(flags, dev), minHealthy, devDirectory };
}

/** Where `keyless serve --dev` listens. */
const DEV_TARGET = "127.0.0.1";

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
      `${missing.join(" and ")} must be given: key servers talk to clients with a certificate ` +
        "alone (with a server of `keyless serve --dev`, --dev gives all three)",
    );
  }
  const nameOf = (field: keyof CredentialPems) => `${FLAGS[field]} ${printable(paths[field]!)}`;
  const names = { certificate: nameOf("certificate"), key: nameOf("key"), ca: nameOf("ca") };
  const read = (field: keyof CredentialPems) => readFile(paths[field]!, names[field]);
  const pems = { certificate: read("certificate"), key: read("key"), ca: read("ca") };
  try {
    return readCredentials(pems, names);
  } finally {
    pems.key.fill(0);
  }
}

function readFile(path: string, name: string): Uint8Array {
  try {
    return readRegularFile(path, MAX_FILE_BYTES).bytes;
  } catch (cause) {
    throw new KeylessError("FILE_READ", `${name} ${messageOf(cause)}`, { cause });
  }
}

const FIELDS = ["certificate", "key", "ca"] as const;
const FLAGS = { certificate: "--cert", key: "--key", ca: "--ca" } as const;

/** A bundle of all public authorities is a fifth of it. */
const MAX_FILE_BYTES = 1_048_576;
