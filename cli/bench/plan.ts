import { parseMix } from "../../src/bench/mix.ts";
import type { BenchPlan } from "../../src/bench/plan.ts";
import { parseEndpoint } from "../../src/client/endpoint.ts";
import { KeylessError } from "../../src/errors/errors.ts";
import type { DevDirectory } from "../../src/pki/dev.ts";
import { raiseOpenFileLimit } from "../../src/runtime/process.ts";
import { type CredentialFlags, readClientCredentials } from "../client_credentials.ts";
import { COUNT, DURATION, type NumberRow, readNumber } from "../number_flags.ts";
import { DEV_TARGET } from "../ping/plan.ts";
import { type KeyFlags, planOperations } from "./keys.ts";

/** The flags of `keyless bench` that say what load there is; numbers as they were typed. */
export interface LoadFlags extends CredentialFlags, KeyFlags {
  readonly serverName?: string;
  readonly op: string;
  readonly connections: string;
  readonly inFlight?: string;
  readonly threads: string;
  readonly rate?: string;
  readonly ramp?: string;
  readonly warmup: string;
  readonly duration?: string;
  readonly requests?: string;
  readonly timeout: string;
  readonly verifyEvery: string;
}

/**
 * Puts flags and files together, before anything is sent.
 *
 * @throws KeylessError "USAGE"; for files as `readClientCredentials` and `planOperations`
 */
export function readBenchPlan(
  target: string | undefined,
  flags: LoadFlags,
  dev: DevDirectory | undefined,
): BenchPlan {
  if (target === undefined && dev === undefined) {
    throw new KeylessError("USAGE", "no target: give host[:port] or unix:/path, or --dev");
  }
  if (flags.serverName === "") {
    throw new KeylessError("USAGE", "--server-name is empty; leave it out");
  }
  const endpoint = parseEndpoint(target ?? DEV_TARGET);
  const numbers = readNumbers(flags);
  const operations = planOperations(parseMix(flags.op), flags, dev?.keysDirectory);
  const { serverName } = flags;
  return { endpoint, serverName, operations, ...numbers, ...readClientCredentials(flags, dev) };
}

/**
 * Sees to it that so many connections can be open at once; a runtime that meets the limit says that
 * the connection was refused.
 *
 * @throws KeylessError "USAGE" where the system does not allow it
 */
export function raiseLimits({ connections }: BenchPlan): void {
  const limit = raiseOpenFileLimit() ?? Infinity;
  if (connections + OTHER_OPEN_FILES <= limit) return;
  throw new KeylessError(
    "USAGE",
    `--connections is ${connections}, but ${limit} files and sockets may be open here, and ` +
      `${OTHER_OPEN_FILES} are kept for others; raise the limit (ulimit -n), or ask for fewer`,
  );
}

function readNumbers(flags: LoadFlags) {
  const optional = (flag: string, text: string | undefined, row: NumberRow) =>
    text === undefined ? undefined : readNumber(flag, text, row);
  const ratePerSecond = optional("--rate", flags.rate, COUNT);
  const requests = optional("--requests", flags.requests, { ...COUNT, max: MAX_REQUESTS });
  const durationMs = optional("--duration", flags.duration, { ...DURATION, minMs: 1 });
  if (requests !== undefined && durationMs !== undefined) {
    throw new KeylessError("USAGE", "--requests and --duration both end the run; give one of them");
  }
  if (flags.ramp !== undefined && ratePerSecond === undefined) {
    throw new KeylessError(
      "USAGE",
      "--ramp says how long --rate is climbed to: give --rate as well",
    );
  }
  const connections = readNumber("--connections", flags.connections, CONNECTIONS);
  const threads = readNumber("--threads", flags.threads, THREADS);
  if (threads > connections) {
    throw new KeylessError(
      "USAGE",
      `--threads is ${threads}, but there are only ${connections} --connections to share out`,
    );
  }
  const inFlight = optional("--in-flight", flags.inFlight, IN_FLIGHT) ??
    (ratePerSecond === undefined ? IN_FLIGHT_CLOSED : IN_FLIGHT_OPEN);
  return {
    connections,
    threads,
    inFlight,
    ratePerSecond,
    rampMs: optional("--ramp", flags.ramp, DURATION) ?? 0,
    warmupMs: readNumber("--warmup", flags.warmup, DURATION),
    durationMs: durationMs ?? (requests === undefined ? DURATION_MS : undefined),
    requests,
    timeoutMs: readNumber("--timeout", flags.timeout, { ...DURATION, minMs: 1 }),
    verifyEvery: readNumber("--verify-every", flags.verifyEvery, { ...COUNT, min: 0 }),
  };
}

/** What a server reads of one connection at most. */
const IN_FLIGHT: NumberRow = { kind: "count", min: 1, max: 1_024 };
const CONNECTIONS: NumberRow = { kind: "count", min: 1, max: 10_000 };
const THREADS: NumberRow = { kind: "count", min: 1, max: 256 };
const MAX_REQUESTS = 1_000_000_000;
/** Beside connections: standard streams, timers, what the runtime itself opens. */
const OTHER_OPEN_FILES = 64;

/** The defaults, which `--help` names. */
export const IN_FLIGHT_CLOSED = 4;
export const IN_FLIGHT_OPEN = 256;
const DURATION_MS = 10_000;
