import { RATE, type Row } from "./panel.ts";

/** CPU, memory, files, versions. */
export const PROCESS: Row = {
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
      description:
        "How late the slowest worker's event loop is. Where it is late everything waits.",
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
};

/** The ports and pushes that metrics leave by. */
export const HTTP_PORTS: Row = {
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
};
