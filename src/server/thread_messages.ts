import type { EngineName } from "../crypto/engine.ts";
import type { ErrorCode } from "../errors/table.ts";
import type { SharedHsmKeys } from "../hsm/shared_hsm_keys.ts";
import type { HsmAsked, HsmMessage } from "../hsm/worker_messages.ts";
import type { SharedKeys } from "../keystore/shared_keys.ts";
import type { CpuProfile } from "../telemetry/profiles/cpu_profile.ts";
import type { HeapType } from "../telemetry/profiles/heap_profile.ts";
import type { WorkerGauges } from "../telemetry/server_gauges.ts";
import type { ConnectionObserver } from "../telemetry/server_metrics.ts";
import type { OtlpTracerOptions } from "../telemetry/tracing/otlp_tracer.ts";
import type { SigningMemory } from "../threads/signing_memory.ts";
import type { ServerLimits } from "./limits.ts";
import type { ListenAddress, ServerCredentials } from "./listener.ts";

/** What a worker of the key server is told when it starts, as `workerData`. */
export interface ServerThreadOptions {
  /** Its row in the counters that all workers share. */
  readonly place: number;
  readonly credentials: ServerCredentials;
  /** Addresses that can be shared: ports with `reusePort`, descriptors. */
  readonly listen: readonly ListenAddress[];
  readonly engine: EngineName;
  readonly keys: SharedKeys;
  readonly limits: ServerLimits;
  /** Whether lines of the level "debug" are wanted. */
  readonly debug: boolean;
  /** Undefined where requests are not traced. */
  readonly tracing: Omit<OtlpTracerOptions, "log"> | undefined;
  readonly serverMemory: SharedArrayBuffer;
  /** One Int32: how many of its log lines the main thread has taken. */
  readonly logTaken: SharedArrayBuffer;
  /** Undefined where there are no signing threads. */
  readonly signing: SigningMemory | undefined;
  /** Undefined where no key is in a token. */
  readonly hsm: HsmThreadOptions | undefined;
}

/** Keys in tokens, whose operations a worker asks the main thread for. */
export interface HsmThreadOptions {
  readonly keys: SharedHsmKeys;
  /** Counters of `Admission`, a row for each worker. */
  readonly counters: SharedArrayBuffer;
  /** Whether each signature is verified before it leaves. */
  readonly verify: boolean;
}

/** What a worker answers to `Asker.ask`. */
export type ServerThreadAnswers = {
  /** Its metrics, what is counted in it alone: as JSON, which costs a third of a structured clone. */
  readonly metrics: () => string;
  readonly gauges: () => Omit<WorkerGauges, "name">;
  readonly isAlive: () => true;
  readonly cutOldestHandshake: () => boolean;
  /** Milliseconds; see `Server.drain`. */
  readonly drain: (timeoutMs: number) => Promise<Drained>;
  readonly cpuProfile: (durationMs: number) => Promise<CpuProfile>;
  /** @throws Error where the runtime cannot, or the heap is too large */
  readonly heapProfile: () => Promise<readonly HeapType[]>;
};

/** What a worker says unasked. */
export type ServerThreadEvent =
  | { readonly listening: readonly string[] }
  /** It cannot start, and is to be ended. */
  | { readonly failed: StartFailure }
  | { readonly log: LoggedLine }
  | HsmMessage<HsmAsked>
  | { readonly established: Parameters<ConnectionObserver["established"]>[0] }
  | { readonly closed: { readonly lifetimeMs: number } }
  /** It has admitted a connection above the limit, and has no handshake that could make room. */
  | { readonly overfull: true };

export interface StartFailure {
  readonly code: ErrorCode;
  readonly message: string;
}

export interface LoggedLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly fields: object;
  readonly message: string;
}

/** What is left of a worker that has been drained. */
export interface Drained {
  /** Requests that were cut. */
  readonly cut: number;
  /** What it had counted at its end, as JSON. */
  readonly metrics: string;
}

/** Told to a worker that has been drained: it is to end. */
export interface StopOrder {
  readonly stop: true;
}
