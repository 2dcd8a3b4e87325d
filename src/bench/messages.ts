import type { CredentialPems } from "../client/credentials.ts";
import type { Endpoint } from "../client/endpoint.ts";
import type { ErrorCode } from "../errors/table.ts";
import type { PacketForm } from "./requests.ts";
import type { Schedule } from "./schedule.ts";
import type { ThreadTimes } from "./thread_cpu.ts";

/** What a client thread is told to do; everything in it can be handed to a thread. */
export interface ThreadPlan {
  readonly endpoint: Endpoint;
  readonly serverName: string | undefined;
  /** The thread overwrites the key once it has read it. */
  readonly pems: CredentialPems;
  /** For connecting, and for the last answers. */
  readonly timeoutMs: number;
  readonly operations: readonly OperationPlan[];
  /** Indexes of operations, in the order in which they are sent, again and again. */
  readonly order: readonly number[];
  readonly connections: number;
  /** Outstanding requests of each connection. */
  readonly inFlight: number;
  /** Undefined in a closed loop. */
  readonly openLoop: OpenLoop | undefined;
  readonly warmupMs: number;
  /** One of the two is undefined. */
  readonly durationMs: number | undefined;
  readonly requests: number | undefined;
  readonly verifyEvery: number;
}

export interface OperationPlan {
  /** One for each key, asked in turn. */
  readonly forms: readonly PacketForm[];
  readonly replyOpcode: number;
}

/** Of all requests of the schedule a thread sends each `of`th, from number `first` on. */
export interface OpenLoop extends Schedule {
  readonly first: number;
  readonly of: number;
}

/** What the main thread says. */
export type Order = "go" | "stop";

/** What a client thread tells. */
export type Report =
  | { readonly kind: "ready"; readonly connects: ConnectReport }
  /** Without any connection there is no run. */
  | { readonly kind: "refused"; readonly code: ErrorCode; readonly message: string }
  | { readonly kind: "interval"; readonly interval: Interval }
  /** The end, whatever the reason: undefined where the time was over or all was answered. */
  | { readonly kind: "done"; readonly endedEarly: ThreadEnd | undefined };

export interface ThreadEnd {
  readonly code: ErrorCode;
  readonly message: string;
}

export interface ConnectReport {
  readonly made: number;
  readonly failed: number;
  /** Pairs of value and count, as all histograms here. */
  readonly setUpNs: Float64Array;
}

/** "drain": the time is over, and the last answers are waited for. */
export type Phase = "warmup" | "measure" | "drain";

/** What a thread has seen since its last report: a second, or less at the end of a phase. */
export interface Interval {
  readonly phase: Phase;
  /** Of this phase, counted from 0. */
  readonly index: number;
  readonly spanMs: number;
  /** Of requests that are measured, those that were due after the warm-up, but for `arrived`. */
  readonly operations: readonly OperationTally[];
  readonly late: number;
  readonly latenessNs: Float64Array;
  readonly transportErrors: readonly TransportTally[];
  readonly connects: ConnectReport;
  readonly samples: readonly Sample[];
  /** Answers that were due to be verified, beyond what a report carries. */
  readonly samplesSkipped: number;
  /** Since the last report. */
  readonly times: ThreadTimes | undefined;
}

export interface OperationTally {
  readonly sent: number;
  /** Right answers that came, whenever they were asked for: in the warm-up, too. */
  readonly arrived: number;
  readonly answered: number;
  readonly lost: number;
  /** Open loop: due, but not sent. */
  readonly dropped: number;
  /** Pairs of wire code and count. */
  readonly errors: readonly (readonly [wireCode: number, count: number])[];
  readonly latencyNs: Float64Array;
  /** Open loop alone. */
  readonly serviceNs: Float64Array;
}

export interface TransportTally {
  readonly code: ErrorCode;
  readonly message: string;
  readonly count: number;
}

/** An answer that is to be verified. */
export interface Sample {
  readonly operation: number;
  readonly key: number;
  readonly payload: Uint8Array;
}
