import type { CredentialPems, Credentials } from "../client/credentials.ts";
import type { Endpoint } from "../client/endpoint.ts";
import type { ThreadPlan } from "./messages.ts";
import { type MixEntry, mixOrder } from "./mix.ts";
import { type BenchKey, type BenchRequest, packetForm, replyOpcode } from "./requests.ts";

/** A benchmark, before anything is sent. */
export interface BenchPlan {
  readonly endpoint: Endpoint;
  readonly serverName: string | undefined;
  readonly credentials: Credentials;
  /** What `credentials` were read from: each thread reads them again. */
  readonly pems: Readonly<Record<keyof CredentialPems, Uint8Array>>;
  readonly operations: readonly PlannedOperation[];
  /** Over all threads, at least one for each. */
  readonly connections: number;
  readonly inFlight: number;
  readonly threads: number;
  /** Undefined for a closed loop. */
  readonly ratePerSecond: number | undefined;
  readonly rampMs: number;
  readonly warmupMs: number;
  /** One of the two is undefined. */
  readonly durationMs: number | undefined;
  readonly requests: number | undefined;
  readonly timeoutMs: number;
  /** 0 verifies nothing. */
  readonly verifyEvery: number;
}

export interface PlannedOperation extends MixEntry {
  /** Keys that can do it; none for a ping. */
  readonly keys: readonly BenchKey[];
}

/** Each thread's part. `requests` are those of each operation, for each of its keys. */
export function threadPlans(
  plan: BenchPlan,
  requests: readonly (readonly BenchRequest[])[],
): ThreadPlan[] {
  const { operations, threads, ratePerSecond, rampMs } = plan;
  const operationPlans = requests.map((ofOperation, at) => ({
    forms: ofOperation.map(packetForm),
    replyOpcode: replyOpcode(operations[at]!.name),
  }));
  const order = mixOrder(operations);
  return Array.from({ length: threads }, (_, thread) => ({
    endpoint: plan.endpoint,
    serverName: plan.serverName,
    pems: plan.pems,
    timeoutMs: plan.timeoutMs,
    operations: operationPlans,
    order,
    connections: share(plan.connections, thread, threads),
    inFlight: plan.inFlight,
    openLoop: ratePerSecond === undefined
      ? undefined
      : { ratePerSecond, rampMs, first: thread, of: threads },
    warmupMs: plan.warmupMs,
    durationMs: plan.durationMs,
    requests: plan.requests === undefined ? undefined : share(plan.requests, thread, threads),
    verifyEvery: plan.verifyEvery,
  }));
}

/** A whole number in parts that differ by one at most. */
function share(whole: number, part: number, parts: number): number {
  return Math.floor(whole / parts) + (part < whole % parts ? 1 : 0);
}
