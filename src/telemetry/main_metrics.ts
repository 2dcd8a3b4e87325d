import type { HsmGauges, TokenGauges } from "./hsm_gauges.ts";
import { BaseMetrics } from "./metrics/base_metrics.ts";
import { CertificateGauges } from "./metrics/certificate_gauges.ts";
import type { PushOutcome, Sink } from "./metrics/push.ts";
import { MetricsRegistry } from "./metrics/registry.ts";
import type { CounterSeries, Family } from "./metrics/series.ts";
import { METRICS } from "./metrics/table.ts";
import type { ConnectionObserver, Established } from "./server_metrics.ts";

/** How many keys a store has. */
export interface StoreGauges {
  readonly store: string;
  /** By kind: "RSA 2048", "EC P-256". */
  readonly keys: Readonly<Record<string, number>>;
  readonly failures: number;
}

/** What came of a key's first signature. */
export const PROOF_RESULTS = ["pending", "passed", "failed"] as const;
export type ProofResult = (typeof PROOF_RESULTS)[number];

/** Which of the threads that a server consists of have died. */
export const THREAD_KINDS = ["worker", "signing"] as const;
export type ThreadKind = (typeof THREAD_KINDS)[number];

export interface ThreadCounts {
  /** Those that run. */
  readonly workers: number;
  /** Since the start. */
  readonly deaths: Readonly<Record<ThreadKind, number>>;
}

/**
 * What the main thread knows of a server: its keys and certificates, its threads, and the connections
 * of all workers. Requests are counted where they are answered, by `ServerMetrics`.
 */
export class MainMetrics implements ConnectionObserver {
  readonly registry = new MetricsRegistry(METRICS);
  readonly certificates: CertificateGauges;
  readonly base = new BaseMetrics();
  readonly #pushes: Family<CounterSeries>;

  constructor(options: { readonly maxPeerCertificates?: number } = {}) {
    const { registry } = this;
    const { maxPeerCertificates = DEFAULT_MAX_PEER_CERTIFICATES } = options;
    const dropped = registry.counter("keyless_peer_certificates_dropped_total").with();
    this.certificates = new CertificateGauges(maxPeerCertificates, () => dropped.add());
    registry.watch(() => this.certificates.values(), {
      certificate_expiration_timestamp_seconds: (values) => values,
    });
    this.#pushes = registry.counter("keyless_metrics_pushes_total");
  }

  established({ handshakeMs, certificates, listener }: Established): void {
    this.base.timers["conn.handshake"].observe(handshakeMs);
    for (const der of certificates) this.certificates.seen(der, listener);
  }

  closed(lifetimeMs: number): void {
    this.base.timers["conn.lifetime"].observe(lifetimeMs);
  }

  /** A push of metrics has ended, or has not begun. */
  pushed(sink: Sink["name"], outcome: PushOutcome): void {
    this.#pushes.with(sink, outcome).add();
  }

  /** Reads from now on which threads run. */
  watchThreads(read: () => ThreadCounts): void {
    this.registry.watch(read, {
      keyless_workers: ({ workers }) => workers,
      keyless_thread_deaths_total: ({ deaths }) =>
        THREAD_KINDS.map((kind) => ({ labels: { kind }, value: deaths[kind] })),
    });
  }

  /** Reads the gauges of the key stores from now on. */
  watchStores(read: () => readonly StoreGauges[]): void {
    this.registry.watch(read, {
      keyless_keys: (stores) =>
        stores.flatMap(({ store, keys }) =>
          Object.entries(keys).map(([kind, value]) => ({ labels: { store, kind }, value }))
        ),
      keyless_key_files_failed: (stores) =>
        stores.map(({ store, failures }) => ({ labels: { store }, value: failures })),
    });
  }

  /** Reads from now on how far the proof of the keys has come. */
  watchProof(read: () => Readonly<Record<ProofResult, number>>): void {
    this.registry.watch(read, {
      keyless_key_proofs: (counts) =>
        PROOF_RESULTS.map((result) => ({ labels: { result }, value: counts[result] })),
    });
  }

  /** Reads the gauges of PKCS#11 tokens from now on. */
  watchHsm(read: () => HsmGauges): void {
    const labelsOf = ({ token, serial }: TokenGauges) => ({ token, serial });
    const ofTokens = (value: (token: TokenGauges) => number) => ({ tokens }: HsmGauges) =>
      tokens.map((each) => ({ labels: labelsOf(each), value: value(each) }));
    this.registry.watch(read, {
      keyless_hsm_token_up: ofTokens(({ isUp }) => isUp ? 1 : 0),
      keyless_hsm_sessions: ofTokens(({ sessions }) => sessions),
      keyless_hsm_sessions_limit: ofTokens(({ maxSessions }) => maxSessions),
      keyless_hsm_sessions_in_use: ofTokens(({ inUse }) => inUse),
      keyless_hsm_sessions_largest: ofTokens(({ largest }) => largest),
      keyless_hsm_requests_waiting: ofTokens(({ waiting }) => waiting),
      keyless_hsm_requests_waiting_oldest_seconds: ofTokens(({ oldestMs }) => oldestMs / 1_000),
      keyless_hsm_waits_exhausted_total: ofTokens(({ exhausted }) => exhausted),
      keyless_hsm_errors_total: ({ tokens }) =>
        tokens.flatMap((token) =>
          Object.entries(token.errors).map(([error, value]) => {
            return { labels: { ...labelsOf(token), error }, value };
          })
        ),
      keyless_hsm_process_deaths_total: ({ modules }) =>
        modules.map(({ path, deaths }) => ({ labels: { module: path }, value: deaths })),
    });
  }

  /** What `keyless_build_info` says. */
  describeBuild(labels: Readonly<Record<"version" | "runtime" | "crypto", string>>): void {
    this.registry.watch(() => labels, { keyless_build_info: () => [{ labels, value: 1 }] });
  }
}

const DEFAULT_MAX_PEER_CERTIFICATES = 1_000;
