import { MetricsRegistry } from "../telemetry/metrics/registry.ts";
import type { CounterSeries, Family, SummarySeries } from "../telemetry/metrics/series.ts";
import type { MetricRow } from "../telemetry/metrics/table.ts";

/**
 * The metrics of the metrics port and the status port themselves, by the names and labels of the
 * cluster metrics page, "HTTP metrics". Those pages' outcomes are Micrometer's.
 */
export const HTTP_METRICS = {
  http_server_requests_seconds: {
    type: "summary",
    labels: ["outcome", "status", "uri"],
    help: "Seconds from a request's header to the end of its response; uri is the route.",
  },
  http_server_active_requests: {
    type: "gauge",
    join: "sum",
    labels: [],
    help: "Requests that are being answered.",
  },
  http_server_bytes_written: {
    type: "summary",
    labels: [],
    help: "Bytes of responses.",
  },
  http_server_bytes_read: {
    type: "summary",
    labels: [],
    help: "Bytes of requests.",
  },
  http_server_connections_cut_total: {
    type: "counter",
    labels: ["reason"],
    help: "Connections cut because there were too many, or because they were too slow.",
  },
} as const satisfies Record<string, MetricRow>;

/** What one request was. */
export interface MeasuredRequest {
  /** Of the table of routes; never what the peer wrote. */
  readonly route: string;
  readonly status: number;
  readonly durationMs: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
}

/** Counts the requests of all HTTP ports of this process. */
export class HttpMetrics {
  readonly registry = new MetricsRegistry(HTTP_METRICS);
  /** Requests that are being answered. */
  active = 0;
  readonly #seconds: Family<SummarySeries>;
  readonly #written: SummarySeries;
  readonly #read: SummarySeries;
  readonly #cut: Family<CounterSeries>;

  constructor() {
    this.#seconds = this.registry.summary("http_server_requests_seconds");
    this.#written = this.registry.summary("http_server_bytes_written").with();
    this.#read = this.registry.summary("http_server_bytes_read").with();
    this.#cut = this.registry.counter("http_server_connections_cut_total");
    for (const reason of ["limit", "slow"] satisfies CutReason[]) this.#cut.with(reason);
    this.registry.watch(() => this.active, { http_server_active_requests: (active) => active });
  }

  answered({ route, status, durationMs, bytesRead, bytesWritten }: MeasuredRequest): void {
    this.#seconds.with(outcomeOf(status), String(status), route).observe(durationMs / 1_000);
    this.#read.observe(bytesRead);
    this.#written.observe(bytesWritten);
  }

  cut(reason: CutReason): void {
    this.#cut.with(reason).add();
  }
}

export type CutReason = "limit" | "slow";

function outcomeOf(status: number): string {
  return OUTCOMES[Math.floor(status / 100)] ?? "UNKNOWN";
}

/** By the first digit of the status. */
const OUTCOMES = [
  ...["UNKNOWN", "INFORMATIONAL", "SUCCESS", "REDIRECTION", "CLIENT_ERROR", "SERVER_ERROR"],
] as const;
