import { recordCpuProfile } from "../../src/telemetry/profiles/cpu_profile.ts";
import { heapProfile } from "../../src/telemetry/profiles/heap_profile.ts";
import type { WorkerGauges } from "../../src/telemetry/server_gauges.ts";
import type { StatusPortOptions, StatusSource } from "../../src/status/status_port.ts";
import type { StatusFacts, StatusState } from "../../src/status/status_report.ts";
import type { MetricSnapshot, WatchedValue } from "../../src/telemetry/metrics/registry.ts";
import type { HttpRequest, Route } from "../../src/status/route.ts";

export const FACTS: StatusFacts = {
  version: "1.2.3",
  runtime: "bun 9.9.9",
  hostname: "box-7",
  startedMs: Date.UTC(2026, 0, 1),
  addresses: ["127.0.0.1:2407", "unix:/run/keyless.sock"],
  stores: ["dir:/etc/keyless/keys"],
};

export const STATE: StatusState = {
  isDraining: false,
  workers: 2,
  restarts: 1,
  gauges: {
    handshaking: 1,
    established: 2,
    maxConnections: 10_000,
    inFlight: 3,
    oldestInFlightMs: 42,
    waiting: 0,
    oldestWaitingMs: 0,
    unsentBytes: 0,
  },
  signing: {
    waiting: 1_234,
    oldestMs: 250,
    largest: 2_000,
    atThreads: 4,
    busy: 1,
    threads: 2,
    shed: { full: 7, deadline: 0, closed: 2 },
  },
  tokens: [],
  perWorker: [gaugesOf("worker 1", 2, 3), gaugesOf("worker 2", 1, 0)],
  stores: [{ store: "file", keys: { "RSA 2048": 2, "EC P-256": 1 }, failures: 0 }],
};

/** A source of the status port, with what a test wants otherwise. */
export function statusOptions(
  source: Partial<StatusSource> = {},
  enable: Partial<StatusPortOptions["enable"]> = {},
): StatusPortOptions {
  return {
    source: {
      facts: FACTS,
      readiness: () => STATE,
      state: () => Promise.resolve(STATE),
      snapshot: () => Promise.resolve([]),
      samples: () => Promise.resolve([]),
      problems: () => [],
      cpuProfiles: async (durationMs) => [
        { thread: "main", profile: await recordCpuProfile(durationMs) },
      ],
      heapProfiles: async () => [{ thread: "main", profile: await heapProfile() }],
      shutdown: () => {},
      ...source,
    },
    hostNames: ["box-7"],
    commandLine: ["keyless", "serve", "--port", "0"],
    enable: { pprof: false, heapProfile: false, shutdown: false, ...enable },
  };
}

/** A request to a port of loopback. */
export function requestOf(
  query = "",
  headers: HttpRequest["headers"] = { host: "localhost:6060" },
): HttpRequest {
  const peer = { address: "192.0.2.1:1", isLocal: true, unproved: "this port has no TLS" };
  return { headers, peer, query: new URLSearchParams(query) };
}

export function routeOf(routes: readonly Route[], path: string): Route {
  const found = routes.find((route) => route.path === path);
  if (found === undefined) throw new Error(`there is no route ${path}`);
  return found;
}

/** The gauge of certificates, with these series. */
export function certificateMetric(values: readonly WatchedValue[]): MetricSnapshot {
  return {
    name: "certificate_expiration_timestamp_seconds",
    help: "",
    type: "gauge",
    aggregator: "max",
    values: values.map(({ labels = {}, value }) => ({ labels, value })),
  };
}

function gaugesOf(name: string, connections: number, inFlight: number): WorkerGauges {
  const none = { handshaking: 0, oldestInFlightMs: 0, waiting: 0, oldestWaitingMs: 0 };
  const server = {
    ...{ ...none, established: connections, maxConnections: 10_000, inFlight },
    unsentBytes: 0,
  };
  return { name, server, signing: undefined };
}
