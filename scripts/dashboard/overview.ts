import { EXEC, quantile, RATE, type Row, TOTAL } from "./panel.ts";

/** What one looks at first. */
export const OVERVIEW: Row = {
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
};
