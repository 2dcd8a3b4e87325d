import { quantile, RATE, type Row } from "./panel.ts";

/** How clients get in. */
export const HANDSHAKES: Row = {
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
};

/** The clients that are in. */
export const CONNECTIONS: Row = {
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
};
