/** One panel of the dashboard. */
export interface Panel {
  readonly kind: "stat" | "graph" | "table";
  readonly title: string;
  /** What a reader should make of it. */
  readonly description: string;
  /** Grafana's name of the unit. */
  readonly unit: string;
  /** Of 24 columns. */
  readonly width: number;
  /** `$here` stands for the matchers of the chosen servers. */
  readonly queries: readonly (readonly [expression: string, legend: string])[];
  /** From which value on which colour; below the first it is green. */
  readonly thresholds?: readonly (readonly [from: number, colour: Colour])[];
  /** The colour below the first threshold, where it is not green. */
  readonly below?: Colour;
  /** Of a table: its columns in their order, by label; "Value" is the query's value. */
  readonly columns?: Readonly<Record<string, string>>;
}

type Colour = "green" | "orange" | "red";

const EXEC = "keyless_request_exec_duration_per_opcode";
const TOTAL = "keyless_request_total_duration_per_opcode";
const RATE = "[$__rate_interval]";

/** The dashboard's contents, row by row. */
export const DASHBOARD_ROWS: readonly {
  readonly title: string;
  readonly panels: readonly Panel[];
}[] = [
  {
    title: "Overview",
    panels: [
      {
        kind: "stat",
        title: "Down",
        description: "Servers that do not answer scrapes.",
        unit: "none",
        width: 3,
        queries: [["count(up{$here}) - sum(up{$here})", ""]],
        thresholds: [[1, "red"]],
      },
      {
        kind: "stat",
        title: "Requests",
        description: "Requests received a second.",
        unit: "reqps",
        width: 3,
        queries: [[`sum(rate(keyless_requests{$here}${RATE}))`, ""]],
      },
      {
        kind: "stat",
        title: "Failed",
        description: "Share of the requests that were answered with an error.",
        unit: "percentunit",
        width: 3,
        queries: [[
          `1 - sum(rate(${EXEC}_count{$here,error="no error"}${RATE}))` +
          ` / (sum(rate(${EXEC}_count{$here}${RATE})) > 0)`,
          "",
        ]],
        thresholds: [[0.01, "orange"], [0.05, "red"]],
      },
      {
        kind: "stat",
        title: "p99 of signing",
        description: "One in a hundred operations on keys takes longer.",
        unit: "s",
        width: 3,
        queries: [[quantile(0.99, "le", `${EXEC}_bucket{$here,type=~"rsa|ecdsa|ed25519"}`), ""]],
        thresholds: [[0.05, "orange"], [0.1, "red"]],
      },
      {
        kind: "stat",
        title: "In flight",
        description: "Requests taken up whose response has not been written.",
        unit: "short",
        width: 3,
        queries: [["sum(keyless_requests_in_flight{$here})", ""]],
      },
      {
        kind: "stat",
        title: "Waiting",
        description: "Requests that wait for a slot. Should be zero but for moments.",
        unit: "short",
        width: 3,
        queries: [["sum(keyless_requests_waiting{$here})", ""]],
        thresholds: [[1, "orange"]],
      },
      {
        kind: "stat",
        title: "Connections used",
        description: "Share of the connections that may be open, of the fullest server.",
        unit: "percentunit",
        width: 3,
        queries: [[
          "max(sum without (state) (keyless_connections{$here})" +
          " / keyless_connections_limit{$here})",
          "",
        ]],
        thresholds: [[0.8, "orange"], [0.95, "red"]],
      },
      {
        kind: "stat",
        title: "Next expiry",
        description: "Days until the first of the servers' own certificates expires.",
        unit: "d",
        width: 3,
        queries: [[
          'min(certificate_expiration_timestamp_seconds{$here,source!~"listener: .*"} - time())' +
          " / 86400",
          "",
        ]],
        below: "red",
        thresholds: [[7, "orange"], [30, "green"]],
      },
      {
        kind: "graph",
        title: "Requests by operation",
        description: "Requests received a second, whatever became of them.",
        unit: "reqps",
        width: 8,
        queries: [[`sum by (opcode) (rate(keyless_requests{$here}${RATE})) > 0`, "{{opcode}}"]],
      },
      {
        kind: "graph",
        title: "Failed requests by error",
        description: "Share of all requests. docs/runbook.md says of each error what to do.",
        unit: "percentunit",
        width: 8,
        queries: [[
          `sum by (error) (rate(${EXEC}_count{$here,error!="no error"}${RATE}))` +
          ` / ignoring (error) group_left sum(rate(${EXEC}_count{$here}${RATE}))`,
          "{{error}}",
        ]],
      },
      {
        kind: "graph",
        title: "Duration of successful operations",
        description: "From when a request is taken up to when its response is made, by key type.",
        unit: "s",
        width: 8,
        queries: [0.5, 0.99].map((q) => [
          quantile(q, "type, le", `${EXEC}_bucket{$here,error="no error"}`),
          `p${q * 100} {{type}}`,
        ]),
      },
      {
        kind: "graph",
        title: "In flight and waiting",
        description: "Requests that wait have no slot: their connection has max_in_flight " +
          "unanswered ones, or takes no replies, or the server is busy.",
        unit: "short",
        width: 8,
        queries: [
          ["sum by (instance) (keyless_requests_in_flight{$here})", "in flight {{instance}}"],
          ["sum by (instance) (keyless_requests_waiting{$here})", "waiting {{instance}}"],
        ],
      },
      {
        kind: "graph",
        title: "Oldest request",
        description: "Age of the oldest request in flight, and of the oldest that waits.",
        unit: "s",
        width: 8,
        queries: [
          [
            "max by (instance) (keyless_requests_in_flight_oldest_seconds{$here})",
            "in flight {{instance}}",
          ],
          [
            "max by (instance) (keyless_requests_waiting_oldest_seconds{$here})",
            "waiting {{instance}}",
          ],
        ],
      },
      {
        kind: "graph",
        title: "Writing responses",
        description: "Mean time from a response made to its last byte written. It grows where " +
          "clients or the network are slow to take them.",
        unit: "s",
        width: 8,
        queries: [[
          `sum by (instance) (rate(${TOTAL}_sum{$here}${RATE}))` +
          ` / sum by (instance) (rate(${TOTAL}_count{$here}${RATE}))` +
          ` - sum by (instance) (rate(${EXEC}_sum{$here}${RATE}))` +
          ` / sum by (instance) (rate(${EXEC}_count{$here}${RATE}))`,
          "{{instance}}",
        ]],
      },
    ],
  },
  {
    title: "Keys and their lookup",
    panels: [
      {
        kind: "table",
        title: "Keys loaded",
        description: "By store and kind.",
        unit: "short",
        width: 8,
        queries: [["sum by (instance, store, kind) (keyless_keys{$here})", ""]],
        columns: { instance: "server", store: "store", kind: "kind", Value: "keys" },
      },
      {
        kind: "graph",
        title: "Key files that failed",
        description: "Left out because they cannot be used (keep_going). The log of the start " +
          "names them.",
        unit: "short",
        width: 8,
        queries: [[
          "sum by (instance, store) (keyless_key_files_failed{$here})",
          "{{instance}} {{store}}",
        ]],
        thresholds: [[1, "red"]],
      },
      {
        kind: "graph",
        title: "Finding the key",
        description: "How long it takes to find a request's private key.",
        unit: "s",
        width: 8,
        queries: [0.5, 0.99].map((q) => [
          quantile(q, "instance, le", "keyless_key_load_duration_bucket{$here}"),
          `p${q * 100} {{instance}}`,
        ]),
      },
    ],
  },
  {
    title: "Handshakes",
    panels: [
      {
        kind: "graph",
        title: "Handshakes that succeed, by TLS version",
        description:
          "A second. Clients should keep connections open: many are a sign that they do not.",
        unit: "ops",
        width: 8,
        queries: [[
          `sum by (tls_version) (rate(keyless_handshakes_total{$here,outcome="ok"}${RATE}))`,
          "{{tls_version}}",
        ]],
      },
      {
        kind: "graph",
        title: "Handshakes that fail, by outcome",
        description: "A second. docs/metrics.md says what each outcome means.",
        unit: "ops",
        width: 8,
        queries: [[
          `sum by (outcome) (rate(keyless_handshakes_total{$here,outcome!="ok"}${RATE}))`,
          "{{outcome}}",
        ]],
      },
      {
        kind: "graph",
        title: "Duration of handshakes",
        description:
          "From a connection's acceptance to the end of its handshake: 99 in 100 are shorter.",
        unit: "s",
        width: 8,
        queries: [[
          quantile(0.99, "outcome, le", "keyless_handshake_duration_seconds_bucket{$here}"),
          "p99 {{outcome}}",
        ]],
      },
    ],
  },
  {
    title: "Connections",
    panels: [
      {
        kind: "graph",
        title: "Open connections",
        description: "Beside the number that may be open.",
        unit: "short",
        width: 6,
        queries: [
          ["sum by (instance, state) (keyless_connections{$here})", "{{state}} {{instance}}"],
          ["sum by (instance) (keyless_connections_limit{$here})", "limit {{instance}}"],
        ],
      },
      {
        kind: "graph",
        title: "Failures and timeouts",
        description:
          "Established connections a second that failed in the transport, or were closed " +
          "because they were idle or took no replies.",
        unit: "ops",
        width: 6,
        queries: [
          [
            `sum by (instance) (rate(keyless_failed_connection_total{$here}${RATE}))`,
            "failed {{instance}}",
          ],
          [
            `sum by (instance, limit) (rate(keyless_connection_timeouts_total{$here}${RATE}))`,
            "{{limit}} {{instance}}",
          ],
        ],
      },
      {
        kind: "graph",
        title: "Bytes",
        description: "Of the protocol, a second.",
        unit: "Bps",
        width: 6,
        queries: [
          [
            `sum by (instance) (rate(keyless_received_bytes_total{$here}${RATE}))`,
            "received {{instance}}",
          ],
          [`sum by (instance) (rate(keyless_sent_bytes_total{$here}${RATE}))`, "sent {{instance}}"],
        ],
      },
      {
        kind: "graph",
        title: "Responses not taken",
        description: "Bytes of responses that clients have not taken.",
        unit: "bytes",
        width: 6,
        queries: [["sum by (instance) (keyless_unsent_bytes{$here})", "{{instance}}"]],
      },
    ],
  },
  {
    title: "Certificates",
    panels: [
      {
        kind: "table",
        title: "Certificates by days left",
        description:
          "The servers' own, by file, and their clients', by listener. A client that has " +
          "renewed its certificate stands there with both.",
        unit: "none",
        width: 24,
        queries: [["sort((certificate_expiration_timestamp_seconds{$here} - time()) / 86400)", ""]],
        below: "red",
        thresholds: [[7, "orange"], [30, "green"]],
        columns: {
          Value: "days left",
          cn: "common name",
          hostnames: "host names",
          source: "source",
          instance: "server",
          serial_no: "serial number",
          ca: "authority",
          server: "for servers",
          client: "for clients",
        },
      },
      {
        kind: "graph",
        title: "Clients' certificates left out",
        description: "A second. Where it is not zero, max_peer_certificates is too small for the " +
          "clients that come.",
        unit: "ops",
        width: 24,
        queries: [[
          `sum by (instance) (rate(keyless_peer_certificates_dropped_total{$here}${RATE}))`,
          "{{instance}}",
        ]],
      },
    ],
  },
  {
    title: "Process",
    panels: [
      {
        kind: "graph",
        title: "CPU",
        description: "Cores in use.",
        unit: "short",
        width: 6,
        queries: [[`rate(process_cpu_seconds_total{$here}${RATE})`, "{{instance}}"]],
      },
      {
        kind: "graph",
        title: "Memory",
        description: "Resident memory.",
        unit: "bytes",
        width: 6,
        queries: [["process_resident_memory_bytes{$here}", "{{instance}}"]],
      },
      {
        kind: "graph",
        title: "Open files",
        description: "Share of those that the process may have.",
        unit: "percentunit",
        width: 6,
        queries: [["process_open_fds{$here} / process_max_fds{$here}", "{{instance}}"]],
      },
      {
        kind: "graph",
        title: "Event loop",
        description: "How late the event loop is. Where it is late everything waits.",
        unit: "s",
        width: 6,
        queries: [["nodejs_eventloop_lag_p99_seconds{$here}", "p99 {{instance}}"]],
      },
      {
        kind: "table",
        title: "Builds",
        description: "What each server is made of.",
        unit: "none",
        width: 12,
        queries: [["keyless_build_info{$here}", ""]],
        columns: { instance: "server", version: "version", runtime: "runtime", crypto: "engine" },
      },
      {
        kind: "graph",
        title: "Uptime",
        description: "Time since the process started.",
        unit: "s",
        width: 12,
        queries: [["time() - process_start_time_seconds{$here}", "{{instance}}"]],
      },
    ],
  },
  {
    title: "Metrics port, status port, pushes",
    panels: [
      {
        kind: "graph",
        title: "Requests by answer",
        description: "Scrapes among them, a second.",
        unit: "reqps",
        width: 6,
        queries: [[
          `sum by (uri, status) (rate(http_server_requests_seconds_count{$here}${RATE}))`,
          "{{uri}} {{status}}",
        ]],
      },
      {
        kind: "graph",
        title: "Time to answer",
        description: "Mean. Scrapes grow with the number of clients' certificates.",
        unit: "s",
        width: 6,
        queries: [[
          `sum by (uri) (rate(http_server_requests_seconds_sum{$here}${RATE}))` +
          ` / sum by (uri) (rate(http_server_requests_seconds_count{$here}${RATE}))`,
          "{{uri}}",
        ]],
      },
      {
        kind: "graph",
        title: "Connections cut",
        description: "A second: there were too many, or they were too slow.",
        unit: "ops",
        width: 6,
        queries: [[
          `sum by (reason) (rate(http_server_connections_cut_total{$here}${RATE}))`,
          "{{reason}}",
        ]],
      },
      {
        kind: "graph",
        title: "Pushes",
        description: "Metrics pushed to Graphite or a URL, a second; none where nothing is pushed.",
        unit: "ops",
        width: 6,
        queries: [[
          `sum by (sink, outcome) (rate(keyless_metrics_pushes_total{$here}${RATE}))`,
          "{{sink}} {{outcome}}",
        ]],
      },
    ],
  },
];

/** In seconds. */
function quantile(q: number, labels: string, buckets: string): string {
  return `histogram_quantile(${q}, sum by (${labels}) (rate(${buckets}${RATE})))`;
}
