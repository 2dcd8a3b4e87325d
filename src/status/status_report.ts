import type { TokenGauges } from "../telemetry/hsm_gauges.ts";
import type { StoreGauges } from "../telemetry/main_metrics.ts";
import type { ServerGauges, SigningGauges, WorkerGauges } from "../telemetry/server_gauges.ts";

/** What does not change while the server runs. */
export interface StatusFacts {
  readonly version: string;
  /** "bun 1.4.4". */
  readonly runtime: string;
  readonly hostname: string;
  /** Unix time. */
  readonly startedMs: number;
  /** Where the key server listens. */
  readonly addresses: readonly string[];
  /** Where the keys are: "dir:/etc/keyless/keys". */
  readonly stores: readonly string[];
}

/** What is known of a server without asking its workers. */
export interface Readiness {
  readonly isDraining: boolean;
  /** Workers that run. */
  readonly workers: number;
  readonly stores: readonly StoreGauges[];
}

/** The server at one moment. */
export interface StatusState extends Readiness {
  /** Workers that have died and been replaced. */
  readonly restarts: number;
  /** Of all workers together. */
  readonly gauges: ServerGauges;
  /** Undefined where nothing waits for signing threads. */
  readonly signing: SigningGauges | undefined;
  /** The workers that answered. */
  readonly perWorker: readonly WorkerGauges[];
  readonly tokens: readonly TokenGauges[];
}

/**
 * `/_status`. The first twelve fields are ghostunnel's; the backend of a key server is its key
 * stores.
 */
export interface StatusReport {
  readonly ok: boolean;
  readonly status: "ok" | "critical";
  readonly listen_address: string;
  readonly forward_address: string;
  readonly backend_ok: boolean;
  readonly backend_status: "ok" | "critical";
  readonly backend_error?: string;
  /** Times are RFC 3339. */
  readonly time: string;
  readonly last_reload: string;
  readonly hostname: string;
  readonly message: "listening" | "stopping";
  readonly revision: string;
  readonly compiler: string;
  readonly version: string;
  readonly uptime_seconds: number;
  /** By store, then by kind. */
  readonly keys: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly key_files_failed: number;
  readonly workers: number;
  readonly connections: number;
  readonly in_flight: number;
  readonly draining: boolean;
  readonly worker_restarts: number;
  /** Left out where nothing waits for signing threads. */
  readonly signing?: SigningReport;
  /** The workers that answered. */
  readonly per_worker: readonly WorkerReport[];
  /** Left out where no key is in a PKCS#11 token. */
  readonly hsm?: readonly TokenReport[];
}

export interface SigningReport {
  readonly waiting: number;
  readonly oldest_seconds: number;
  readonly in_progress: number;
  /** The most that have ever waited or been in progress at once. */
  readonly largest: number;
  readonly threads: number;
  readonly busy: number;
  /** By reason, of the workers that run. */
  readonly shed: Readonly<Record<string, number>>;
}

export interface TokenReport {
  readonly token: string;
  readonly serial: string;
  readonly state: "up" | "away";
  /** Why it is away. */
  readonly error?: string;
  /** Sessions that sign. */
  readonly sessions: number;
  readonly sessions_in_use: number;
  readonly sessions_largest: number;
  readonly sessions_limit: number;
  readonly waiting: number;
  readonly oldest_seconds: number;
  /** Requests that waited in vain. */
  readonly exhausted: number;
  /** By the names that PKCS#11 has for them. */
  readonly errors: Readonly<Record<string, number>>;
}

export interface WorkerReport {
  readonly worker: string;
  readonly connections: number;
  readonly in_flight: number;
  readonly waiting: number;
}

/**
 * The state as `/_status` gives it. Without any key the backend is critical; key files that were
 * left out (keep_going) are counted, and no reason to be.
 */
export function statusReport(
  facts: StatusFacts,
  state: StatusState,
  nowMs = Date.now(),
): StatusReport {
  const { isDraining, stores, gauges, signing } = state;
  const backendError = whyNoKeys(stores);
  const isOk = whyNotReady(state) === undefined;
  return {
    ok: isOk,
    status: isOk ? "ok" : "critical",
    listen_address: facts.addresses.join(", "),
    forward_address: facts.stores.join(", "),
    backend_ok: backendError === undefined,
    backend_status: backendError === undefined ? "ok" : "critical",
    ...(backendError === undefined ? {} : { backend_error: backendError }),
    time: new Date(nowMs).toISOString(),
    last_reload: new Date(facts.startedMs).toISOString(),
    hostname: facts.hostname,
    message: isDraining ? "stopping" : "listening",
    revision: facts.version,
    compiler: facts.runtime,
    version: facts.version,
    uptime_seconds: Math.max(0, Math.floor((nowMs - facts.startedMs) / 1_000)),
    keys: Object.fromEntries(stores.map(({ store, keys }) => [store, keys])),
    key_files_failed: stores.reduce((sum, { failures }) => sum + failures, 0),
    workers: state.workers,
    connections: gauges.handshaking + gauges.established,
    in_flight: gauges.inFlight,
    draining: isDraining,
    worker_restarts: state.restarts,
    ...(signing === undefined ? {} : { signing: signingReport(signing) }),
    per_worker: state.perWorker.map(({ name, server }) => ({
      worker: name,
      connections: server.handshaking + server.established,
      in_flight: server.inFlight,
      waiting: server.waiting,
    })),
    ...(state.tokens.length === 0 ? {} : { hsm: state.tokens.map(tokenReport) }),
  };
}

/** What stands in the way of serving, in words; undefined where nothing does. */
export function whyNotReady({ isDraining, workers, stores }: Readiness): string | undefined {
  if (isDraining) return "the server is stopping";
  if (workers === 0) return "no worker runs";
  return whyNoKeys(stores);
}

function whyNoKeys(stores: readonly StoreGauges[]): string | undefined {
  const count = stores.flatMap(({ keys }) => Object.values(keys)).reduce((a, b) => a + b, 0);
  return count > 0 ? undefined : "no keys are loaded";
}

function tokenReport(token: TokenGauges): TokenReport {
  return {
    token: token.token,
    serial: token.serial,
    state: token.isUp ? "up" : "away",
    ...(token.why === undefined ? {} : { error: token.why }),
    sessions: token.sessions,
    sessions_in_use: token.inUse,
    sessions_largest: token.largest,
    sessions_limit: token.maxSessions,
    waiting: token.waiting,
    oldest_seconds: token.oldestMs / 1_000,
    exhausted: token.exhausted,
    errors: token.errors,
  };
}

function signingReport(signing: SigningGauges): SigningReport {
  return {
    waiting: signing.waiting,
    oldest_seconds: signing.oldestMs / 1_000,
    in_progress: signing.atThreads,
    largest: signing.largest,
    threads: signing.threads,
    busy: signing.busy,
    shed: signing.shed,
  };
}
