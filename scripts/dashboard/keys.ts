import { quantile, RATE, type Row } from "./panel.ts";

/** The private keys. */
export const KEYS: Row = {
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
};

/** When certificates expire, the own and those of clients. */
export const CERTIFICATES: Row = {
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
};
