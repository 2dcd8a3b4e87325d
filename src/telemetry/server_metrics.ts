import { WIRE_ERRORS, type WireError } from "../protocol/errors.ts";
import { opcodeName, opcodeOf, OPCODES, opcodeType } from "../protocol/opcodes.ts";
import { MetricsRegistry } from "./metrics/registry.ts";
import type { CounterSeries, Family, HistogramSeries } from "./metrics/series.ts";
import { METRICS } from "./metrics/table.ts";
import type { RequestTimes } from "./request_times.ts";
import type { ServerGauges, SigningGauges } from "./server_gauges.ts";

/**
 * How a TLS handshake ended: well; without a client certificate; with one that is not accepted; in
 * bytes that are no TLS, or none that this server speaks; too late; in a client that left; by
 * max_connections; otherwise.
 */
export const HANDSHAKE_OUTCOMES = [
  "ok",
  "no_certificate",
  "bad_certificate",
  "protocol",
  "timeout",
  "left",
  "limit",
  "other",
] as const;
export type HandshakeOutcome = (typeof HANDSHAKE_OUTCOMES)[number];
export type RefusedOutcome = Exclude<HandshakeOutcome, "ok">;

/** Which limit of time an established connection met: it was idle, or took no replies. */
export const TIMEOUT_LIMITS = ["idle", "write"] as const;
export type TimeoutLimit = (typeof TIMEOUT_LIMITS)[number];

/** A handshake that has succeeded. It can be sent to another thread. */
export interface Established {
  readonly handshakeMs: number;
  /** DER: the client's, and those of its chain; none where it was turned away nevertheless. */
  readonly certificates: readonly Uint8Array[];
  /** The address that it came to. */
  readonly listener: string;
}

/** Told of connections: rare events, so that a worker may send each to the main thread. */
export interface ConnectionObserver {
  established(established: Established): void;
  /** An established connection is gone, however it ended. */
  closed(lifetimeMs: number): void;
}

/**
 * What a server counts, or one worker of it: `src/server` tells it what happens, scrapes read
 * `registry`. Series are resolved once, so that a request costs some additions.
 */
export class ServerMetrics {
  readonly registry = new MetricsRegistry(METRICS);
  readonly #observer: ConnectionObserver | undefined;
  readonly #received: readonly CounterSeries[];
  readonly #unknown: CounterSeries;
  readonly #executed: DurationsByError;
  readonly #replied: DurationsByError;
  readonly #keyLoad: HistogramSeries;
  readonly #failed: readonly CounterSeries[];
  readonly #handshakes: Family<CounterSeries>;
  readonly #handshakeSeconds: Family<HistogramSeries>;
  readonly #timeouts: Family<CounterSeries>;
  readonly #receivedBytes: CounterSeries;
  readonly #sentBytes: CounterSeries;
  readonly #signRetries: CounterSeries;

  constructor(observer?: ConnectionObserver) {
    const { registry } = this;
    this.#observer = observer;
    const requests = registry.counter("keyless_requests");
    for (const { name } of OPCODES) requests.with(name); // at 0, so that rates see the first
    this.#received = BYTES.map((code) => requests.with(opcodeLabel(code)));
    this.#unknown = requests.with(UNKNOWN);
    const exec = registry.histogram("keyless_request_exec_duration_per_opcode");
    this.#executed = new DurationsByError(exec);
    const total = registry.histogram("keyless_request_total_duration_per_opcode");
    this.#replied = new DurationsByError(total);
    this.#keyLoad = registry.histogram("keyless_key_load_duration").with();
    this.#failed = [
      registry.counter("keyless_failed_connection").with(),
      registry.counter("keyless_failed_connection_total").with(),
    ];
    this.#handshakes = registry.counter("keyless_handshakes_total");
    this.#handshakeSeconds = registry.histogram("keyless_handshake_duration_seconds");
    this.#timeouts = registry.counter("keyless_connection_timeouts_total");
    for (const outcome of HANDSHAKE_OUTCOMES.slice(1)) this.#handshakes.with(outcome, "");
    for (const limit of TIMEOUT_LIMITS) this.#timeouts.with(limit);
    this.#receivedBytes = registry.counter("keyless_received_bytes_total").with();
    this.#sentBytes = registry.counter("keyless_sent_bytes_total").with();
    this.#signRetries = registry.counter("keyless_sign_retries_total").with();
  }

  /** A request came over an established connection; undefined for one without a readable opcode. */
  received(opcode: number | undefined): void {
    (opcode === undefined ? this.#unknown : this.#received[opcode]!).add();
  }

  /** The response of a request is made. */
  executed(times: RequestTimes, opcode: number | undefined, error: WireError): void {
    const { startedMs, lookupStartedMs, lookupEndedMs, answeredMs } = times;
    this.#executed.of(opcode, error).observe((answeredMs - startedMs) / 1_000);
    if (lookupEndedMs > 0) this.#keyLoad.observe((lookupEndedMs - lookupStartedMs) / 1_000);
  }

  /** The response of a request has been written to the last byte. */
  replied(
    times: RequestTimes,
    opcode: number | undefined,
    error: WireError,
    writtenMs: number,
  ): void {
    this.#replied.of(opcode, error).observe((writtenMs - times.startedMs) / 1_000);
  }

  /** An established connection failed in the transport. */
  connectionFailed(): void {
    for (const series of this.#failed) series.add();
  }

  /** A handshake has succeeded. */
  established(established: Established, tlsVersion: string): void {
    this.#countHandshake("ok", established.handshakeMs, tlsVersion);
    this.#observer?.established(established);
  }

  /** A handshake has ended otherwise. */
  refused(outcome: RefusedOutcome, durationMs: number): void {
    this.#countHandshake(outcome, durationMs, "");
  }

  connectionTimedOut(limit: TimeoutLimit): void {
    this.#timeouts.with(limit).add();
  }

  /** An established connection is gone, however it ended. */
  connectionClosed(lifetimeMs: number): void {
    this.#observer?.closed(lifetimeMs);
  }

  /** An operation that failed is tried again. */
  signRetried(): void {
    this.#signRetries.add();
  }

  bytesReceived(count: number): void {
    this.#receivedBytes.add(count);
  }

  bytesSent(count: number): void {
    this.#sentBytes.add(count);
  }

  /** Reads the gauges of a server from now on. */
  watchServer(read: () => ServerGauges): void {
    this.registry.watch(read, {
      keyless_requests_in_flight: ({ inFlight }) => inFlight,
      keyless_requests_in_flight_oldest_seconds: ({ oldestInFlightMs }) => oldestInFlightMs / 1_000,
      keyless_requests_waiting: ({ waiting }) => waiting,
      keyless_requests_waiting_oldest_seconds: ({ oldestWaitingMs }) => oldestWaitingMs / 1_000,
      keyless_connections: ({ handshaking, established }) => [
        { labels: { state: "handshaking" }, value: handshaking },
        { labels: { state: "established" }, value: established },
      ],
      keyless_connections_limit: ({ maxConnections }) => maxConnections,
      keyless_unsent_bytes: ({ unsentBytes }) => unsentBytes,
    });
  }

  /** Reads from now on what waits for signing threads. */
  watchSigning(read: () => SigningGauges): void {
    this.registry.watch(read, {
      keyless_signing_queue_length: ({ waiting }) => waiting,
      keyless_signing_queue_oldest_seconds: ({ oldestMs }) => oldestMs / 1_000,
      keyless_signing_requests_in_progress: ({ atThreads }) => atThreads,
      keyless_signing_requests_largest: ({ largest }) => largest,
      keyless_signing_threads: ({ threads }) => threads,
      keyless_signing_threads_busy: ({ busy }) => busy,
      keyless_signing_shed_total: ({ shed }) =>
        Object.entries(shed).map(([reason, value]) => ({ labels: { reason }, value })),
    });
  }

  #countHandshake(outcome: HandshakeOutcome, durationMs: number, tlsVersion: string): void {
    this.#handshakes.with(outcome, tlsVersion).add();
    this.#handshakeSeconds.with(outcome).observe(durationMs / 1_000);
  }
}

/** Series of one histogram by type and error. */
class DurationsByError {
  readonly #family: Family<HistogramSeries>;
  readonly #series: (HistogramSeries | undefined)[] = [];

  constructor(family: Family<HistogramSeries>) {
    this.#family = family;
    for (const { code } of OPCODES) this.of(code, WIRE_ERRORS.NONE);
  }

  of(opcode: number | undefined, error: WireError): HistogramSeries {
    const key = (opcode ?? NO_OPCODE) * ERRORS_PER_OPCODE + error.code;
    return this.#series[key] ??= this.#family.with(
      opcode === undefined ? UNKNOWN : opcodeType(opcode),
      error.text,
    );
  }
}

/** Bytes that are no opcode share a series: clients must not be able to make them. */
function opcodeLabel(code: number): string {
  return opcodeOf(code) === undefined ? UNKNOWN : opcodeName(code);
}

const UNKNOWN = "unknown";
const BYTES = Array.from({ length: 0x100 }, (_, code) => code);
const NO_OPCODE = 0x100;
const ERRORS_PER_OPCODE = 0x100;
