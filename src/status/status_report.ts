import type { ServerGauges, StoreGauges } from "../telemetry/server_metrics.ts";

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

/** The server at one moment. */
export interface StatusState {
  readonly isDraining: boolean;
  readonly workers: number;
  readonly gauges: ServerGauges;
  readonly stores: readonly StoreGauges[];
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
  const { isDraining, stores, gauges } = state;
  const backendError = keyCount(stores) > 0 ? undefined : "no keys are loaded";
  const isOk = !isDraining && backendError === undefined;
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
  };
}

/** What stands in the way of serving, in words; undefined where nothing does. */
export function whyNotReady(report: StatusReport): string | undefined {
  if (report.draining) return "the server is stopping";
  return report.backend_error;
}

export function keyCount(stores: readonly StoreGauges[]): number {
  return stores.flatMap(({ keys }) => Object.values(keys)).reduce((sum, count) => sum + count, 0);
}
