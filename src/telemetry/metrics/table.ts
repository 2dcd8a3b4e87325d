/**
 * Every metric of the key server, once: name, type, labels, how the values of several workers are
 * joined, and what it says. Exposition, `docs/metrics.md` and the checks of dashboards and alerts
 * derive from this table. Durations are seconds.
 *
 * Those that the metrics page has are named and labelled as there, which is older than the rule that
 * counters end in `_total`; all others follow Prometheus's conventions.
 *
 * Source: the metrics page, "Metrics reference".
 */
export const METRICS = {
  keyless_requests: {
    type: "counter",
    labels: ["opcode"],
    help: "Requests received, whatever became of them.",
  },
  keyless_request_exec_duration_per_opcode: {
    type: "histogram",
    labels: ["type", "error"],
    help: "Seconds from when a request is taken up to when its response is made.",
  },
  keyless_request_total_duration_per_opcode: {
    type: "histogram",
    labels: ["type", "error"],
    help: "Seconds from when a request is taken up to when its response has been written.",
  },
  keyless_key_load_duration: {
    type: "histogram",
    labels: [],
    help: "Seconds that finding a request's private key took.",
  },
  keyless_failed_connection: {
    type: "counter",
    labels: [],
    help: "Established connections that failed in the transport.",
  },
  keyless_failed_connection_total: {
    type: "counter",
    labels: [],
    help: "The same as keyless_failed_connection, by the name that queries use.",
  },
  certificate_expiration_timestamp_seconds: {
    type: "gauge",
    join: "max",
    labels: ["source", "serial_no", "cn", "hostnames", "ca", "server", "client"],
    help: "When a certificate expires (notAfter), as Unix time.",
  },
  keyless_peer_certificates_dropped_total: {
    type: "counter",
    labels: [],
    help: "Clients' certificates whose series left to make room (max_peer_certificates).",
  },

  keyless_requests_in_flight: {
    type: "gauge",
    join: "sum",
    labels: [],
    help: "Requests taken up whose response has not been written.",
  },
  keyless_requests_in_flight_oldest_seconds: {
    type: "gauge",
    join: "max",
    labels: [],
    help: "Age of the oldest request in flight.",
  },
  keyless_requests_waiting: {
    type: "gauge",
    join: "sum",
    labels: [],
    help: "Whole requests received that wait for one of their connection's slots.",
  },
  keyless_requests_waiting_oldest_seconds: {
    type: "gauge",
    join: "max",
    labels: [],
    help: "How long the oldest of the waiting requests has waited at least.",
  },
  keyless_connections: {
    type: "gauge",
    join: "sum",
    labels: ["state"],
    help: "Open connections: handshaking, or established.",
  },
  keyless_connections_limit: {
    type: "gauge",
    join: "max",
    labels: [],
    help: "Connections that may be open at a time.",
  },
  keyless_handshakes_total: {
    type: "counter",
    labels: ["outcome", "tls_version"],
    help: "TLS handshakes that have ended, by how; only the outcome ok has a version.",
  },
  keyless_handshake_duration_seconds: {
    type: "histogram",
    labels: ["outcome"],
    help: "Seconds from a connection's acceptance to the end of its handshake.",
  },
  keyless_connection_timeouts_total: {
    type: "counter",
    labels: ["limit"],
    help: "Established connections that were closed because they were idle, or took no replies.",
  },
  keyless_received_bytes_total: {
    type: "counter",
    labels: [],
    help: "Bytes of the protocol received on established connections.",
  },
  keyless_sent_bytes_total: {
    type: "counter",
    labels: [],
    help: "Bytes of the protocol written to established connections.",
  },
  keyless_unsent_bytes: {
    type: "gauge",
    join: "sum",
    labels: [],
    help: "Bytes of responses that clients have not taken.",
  },
  keyless_keys: {
    type: "gauge",
    join: "max",
    labels: ["store", "kind"],
    help: "Private keys that are loaded.",
  },
  keyless_key_files_failed: {
    type: "gauge",
    join: "max",
    labels: ["store"],
    help: "Key files and directories that were left out because they cannot be used.",
  },
  keyless_key_proofs: {
    type: "gauge",
    join: "max",
    labels: ["result"],
    help: "Private keys by what came of the signature that each makes once after the start.",
  },
  keyless_workers: {
    type: "gauge",
    join: "sum",
    labels: [],
    help: "Workers that run: event loops that the connections are spread over.",
  },
  keyless_thread_deaths_total: {
    type: "counter",
    labels: ["kind"],
    help: "Threads that have died and been replaced.",
  },
  keyless_signing_queue_length: {
    type: "gauge",
    join: "sum",
    labels: [],
    help: "Requests for slow keys that wait for a signing thread.",
  },
  keyless_signing_queue_oldest_seconds: {
    type: "gauge",
    join: "max",
    labels: [],
    help: "How long the oldest of them has waited.",
  },
  keyless_signing_requests_in_progress: {
    type: "gauge",
    join: "sum",
    labels: [],
    help: "Requests that signing threads have.",
  },
  keyless_signing_requests_largest: {
    type: "gauge",
    join: "max",
    labels: [],
    help: "The most requests that have ever waited for signing threads or been with them at once.",
  },
  keyless_signing_threads: {
    type: "gauge",
    join: "max",
    labels: [],
    help: "Signing threads that run.",
  },
  keyless_signing_threads_busy: {
    type: "gauge",
    join: "max",
    labels: [],
    help: "Signing threads that have something to do.",
  },
  keyless_signing_shed_total: {
    type: "counter",
    labels: ["reason"],
    help: "Requests for slow keys that were not carried out.",
  },
  keyless_hsm_token_up: {
    type: "gauge",
    join: "max",
    labels: ["token", "serial"],
    help: "1 where a PKCS#11 token can be used, 0 while it is away.",
  },
  keyless_hsm_sessions: {
    type: "gauge",
    join: "max",
    labels: ["token", "serial"],
    help: "Open sessions of a PKCS#11 token that sign; one more keeps the login.",
  },
  keyless_hsm_sessions_limit: {
    type: "gauge",
    join: "max",
    labels: ["token", "serial"],
    help: "Sessions of a PKCS#11 token that may sign at once (max-sessions).",
  },
  keyless_hsm_sessions_in_use: {
    type: "gauge",
    join: "max",
    labels: ["token", "serial"],
    help: "Sessions of a PKCS#11 token that have something to do.",
  },
  keyless_hsm_sessions_largest: {
    type: "gauge",
    join: "max",
    labels: ["token", "serial"],
    help: "The most sessions of a PKCS#11 token that have ever been in use at once.",
  },
  keyless_hsm_requests_waiting: {
    type: "gauge",
    join: "max",
    labels: ["token", "serial"],
    help: "Requests that wait for a session of a PKCS#11 token.",
  },
  keyless_hsm_requests_waiting_oldest_seconds: {
    type: "gauge",
    join: "max",
    labels: ["token", "serial"],
    help: "How long the oldest of them has waited.",
  },
  keyless_hsm_waits_exhausted_total: {
    type: "counter",
    labels: ["token", "serial"],
    help: "Requests that found no free session of a PKCS#11 token in time.",
  },
  keyless_hsm_errors_total: {
    type: "counter",
    labels: ["token", "serial", "error"],
    help: "Failures of a PKCS#11 token, by the name that PKCS#11 has for them.",
  },
  keyless_hsm_process_deaths_total: {
    type: "counter",
    labels: ["module"],
    help: "Processes of a PKCS#11 module that have died and been replaced.",
  },
  keyless_sign_retries_total: {
    type: "counter",
    labels: [],
    help: "Further attempts at operations that failed (sign_retry_count).",
  },
  keyless_metrics_pushes_total: {
    type: "counter",
    labels: ["sink", "outcome"],
    help: "Pushes of metrics: ok, failed, or skipped because the one before was still under way.",
  },
  keyless_build_info: {
    type: "gauge",
    join: "first",
    labels: ["version", "runtime", "crypto"],
    help: "1, with what this server is made of.",
  },
} as const satisfies Record<string, MetricRow>;

/** One row of a table of metrics. */
export type MetricRow =
  & { readonly labels: readonly string[]; readonly help: string }
  & (
    | { readonly type: "counter" | "histogram" | "summary" }
    | { readonly type: "gauge"; readonly join: Join }
  );

/** How a gauge's values in several workers become one; those of other types add up. */
export type Join = "sum" | "max" | "min" | "first" | "average";

/** Upper bounds of all histograms, in seconds: 100 µs, doubled fourteen times. */
export const BUCKETS: readonly number[] = Array.from({ length: 15 }, (_, i) => 1e-4 * 2 ** i);
