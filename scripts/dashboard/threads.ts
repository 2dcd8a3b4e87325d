import { RATE, type Row } from "./panel.ts";

/** The threads that a server consists of, and what waits for them. */
export const THREADS: Row = {
  title: "Workers and signing threads",
  panels: [
    {
      kind: "graph",
      title: "Workers",
      description: "Event loops that run. Where there is none, no key is served.",
      unit: "short",
      width: 8,
      queries: [["sum by (instance) (keyless_workers{$here})", "{{instance}}"]],
    },
    {
      kind: "graph",
      title: "Threads that died",
      description: "And were replaced. With a worker its connections are lost.",
      unit: "short",
      width: 8,
      queries: [[
        `sum by (instance, kind) (increase(keyless_thread_deaths_total{$here}${RATE}))`,
        "{{kind}} {{instance}}",
      ]],
      thresholds: [[1, "red"]],
    },
    {
      kind: "graph",
      title: "Signing threads busy",
      description:
        "Share of the threads that sign with slow keys (RSA, P-384, P-521). At 1 all the " +
        "time, the cores are the limit.",
      unit: "percentunit",
      width: 8,
      queries: [[
        "max by (instance) (keyless_signing_threads_busy{$here})" +
        " / max by (instance) (keyless_signing_threads{$here})",
        "{{instance}}",
      ]],
    },
    {
      kind: "graph",
      title: "Queued for signing",
      description:
        "Requests for slow keys that wait for a signing thread, those that threads have, " +
        "and the most that there have ever been.",
      unit: "short",
      width: 8,
      queries: [
        ["sum by (instance) (keyless_signing_queue_length{$here})", "queued {{instance}}"],
        [
          "sum by (instance) (keyless_signing_requests_in_progress{$here})",
          "in progress {{instance}}",
        ],
        ["max by (instance) (keyless_signing_requests_largest{$here})", "largest {{instance}}"],
      ],
    },
    {
      kind: "graph",
      title: "Oldest request queued for signing",
      description: "How long it has waited. Near sign_timeout, clients get error 8.",
      unit: "s",
      width: 8,
      queries: [[
        "max by (instance) (keyless_signing_queue_oldest_seconds{$here})",
        "{{instance}}",
      ]],
      thresholds: [[1, "red"]],
    },
    {
      kind: "graph",
      title: "Requests turned away",
      description: "A second: the queue was full, they waited too long, or their client has left.",
      unit: "reqps",
      width: 8,
      queries: [[
        `sum by (instance, reason) (rate(keyless_signing_shed_total{$here}${RATE}))`,
        "{{reason}} {{instance}}",
      ]],
    },
  ],
};
