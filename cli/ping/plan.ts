import { parseEndpoint } from "../../src/client/endpoint.ts";
import type { SignScheme } from "../../src/crypto/scheme.ts";
import { KeylessError } from "../../src/errors/errors.ts";
import type { DevDirectory } from "../../src/pki/dev.ts";
import { type CredentialFlags, readClientCredentials } from "../client_credentials.ts";
import { COUNT, DURATION, readNumber } from "../number_flags.ts";
import type { Target } from "./check_target.ts";
import { pingSubject, type Subject } from "./question.ts";
import { readSigning } from "./signing_key.ts";

/** The flags of `keyless ping`; numbers and durations as they were typed. */
export interface PingFlags extends CredentialFlags {
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
 * @throws KeylessError "USAGE"; for files as `readClientCredentials` and `readSigning`
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
  const { credentials, pems } = readClientCredentials(flags, dev);
  pems.key.fill(0);
  const { serverName } = flags;
  if (serverName === "") throw new KeylessError("USAGE", "--server-name is empty; leave it out");
  const targets = endpoints.map((endpoint) => ({ endpoint, credentials, serverName }));
  const isAllDev = (flags.cert ?? flags.key ?? flags.ca) === undefined;
  const devDirectory = isAllDev ? dev?.directory : undefined;
  const subject = readSubject(flags, dev);
  return { targets, subject, minHealthy, count, intervalMs, timeoutMs, waitMs, devDirectory };
}

/** Where `keyless serve --dev` listens. */
export const DEV_TARGET = "127.0.0.1";

function readSubject(flags: PingFlags, dev: DevDirectory | undefined): Subject {
  if (flags.op === "sign") return readSigning(flags, dev?.keysDirectory);
  for (const name of ["ski", "public", "scheme"] as const) {
    if (flags[name] !== undefined) {
      throw new KeylessError("USAGE", `--${name} says what to sign with: add --op sign`);
    }
  }
  return pingSubject();
}
