import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { HttpReply } from "../../src/status/route.ts";
import {
  statusNotFound,
  type StatusPortOptions,
  statusRoutes,
} from "../../src/status/status_port.ts";
import type { StatusState } from "../../src/status/status_report.ts";
import { requestOf, routeOf, STATE, statusOptions } from "../support/status_fixture.ts";

async function ask(
  options: StatusPortOptions,
  path: string,
  query = "",
  headers?: Readonly<Record<string, string>>,
): Promise<HttpReply & { readonly text: string }> {
  const reply = await routeOf(statusRoutes(options), path).reply(requestOf(query, headers));
  return { ...reply, text: new TextDecoder().decode(reply.body) };
}

/** A source of a server in another state than usual. */
function inState(change: Partial<StatusState>): StatusPortOptions {
  const state = { ...STATE, ...change };
  return statusOptions({ readiness: () => state, state: () => Promise.resolve(state) });
}

const DRAINING = { isDraining: true };
const WITHOUT_WORKERS = { workers: 0, perWorker: [] };
const WITHOUT_KEYS = { stores: [{ store: "file", keys: {}, failures: 0 }] };
const WITH_FAILURES = { stores: [{ ...STATE.stores[0]!, failures: 2 }] };

describe("/_status", () => {
  test("has ghostunnel's fields, and the key server's", async () => {
    const { status, type, text } = await ask(statusOptions(), "/_status");
    assert.equal(status, 200);
    assert.match(type, /^application\/json/);
    const { time, uptime_seconds, ...others } = JSON.parse(text);
    assert.ok(Math.abs(Date.parse(time) - Date.now()) < 10_000, time);
    assert.ok(uptime_seconds > 0);
    assert.deepEqual(others, {
      ok: true,
      status: "ok",
      listen_address: "127.0.0.1:2407, unix:/run/keyless.sock",
      forward_address: "dir:/etc/keyless/keys",
      backend_ok: true,
      backend_status: "ok",
      last_reload: "2026-01-01T00:00:00.000Z",
      hostname: "box-7",
      message: "listening",
      revision: "1.2.3",
      compiler: "bun 9.9.9",
      version: "1.2.3",
      keys: { file: { "RSA 2048": 2, "EC P-256": 1 } },
      key_files_failed: 0,
      workers: 2,
      connections: 3,
      in_flight: 3,
      draining: false,
      worker_restarts: 1,
      signing: {
        waiting: 1_234,
        oldest_seconds: 0.25,
        largest: 2_000,
        in_progress: 4,
        threads: 2,
        busy: 1,
        shed: { full: 7, deadline: 0, closed: 2 },
      },
      per_worker: [
        { worker: "worker 1", connections: 2, in_flight: 3, waiting: 0 },
        { worker: "worker 2", connections: 1, in_flight: 0, waiting: 0 },
      ],
    });
  });

  test("says nothing of signing threads where there are none", async () => {
    const { text } = await ask(inState({ signing: undefined }), "/_status");
    assert.equal("signing" in JSON.parse(text), false);
  });

  test("is 503 while no worker runs", async () => {
    const { status, text } = await ask(inState(WITHOUT_WORKERS), "/_status");
    const { ok, workers, backend_ok } = JSON.parse(text);
    assert.deepEqual([status, ok, workers, backend_ok], [503, false, 0, true]);
  });

  test("is 503 while the server stops", async () => {
    const { status, text } = await ask(inState(DRAINING), "/_status");
    const { ok, status: word, message, backend_ok, draining: isDraining } = JSON.parse(text);
    assert.deepEqual(
      [status, ok, word, message, backend_ok, isDraining],
      [503, false, "critical", "stopping", true, true],
    );
  });

  test("is 503 without any key, and says so", async () => {
    const { status, text } = await ask(inState(WITHOUT_KEYS), "/_status");
    const { ok, backend_ok, backend_status, backend_error, message } = JSON.parse(text);
    assert.deepEqual(
      [status, ok, backend_ok, backend_status, backend_error, message],
      [503, false, false, "critical", "no keys are loaded", "listening"],
    );
  });

  test("counts keys that were left out, and stays ok", async () => {
    const { status, text } = await ask(inState(WITH_FAILURES), "/_status");
    const { ok, key_files_failed } = JSON.parse(text);
    assert.deepEqual([status, ok, key_files_failed], [200, true, 2]);
  });
});

describe("probes", () => {
  const cases: readonly [
    what: string,
    state: Partial<StatusState>,
    string,
    number,
    RegExp,
  ][] = [
    ["alive", {}, "/healthz", 200, /^ok\n$/],
    ["alive while it stops", DRAINING, "/healthz", 200, /^ok\n$/],
    ["ready", {}, "/readyz", 200, /^ready\n$/],
    ["not ready while it stops", DRAINING, "/readyz", 503, /^not ready: the server is stopping\n$/],
    ["not ready without keys", WITHOUT_KEYS, "/readyz", 503, /^not ready: no keys are loaded\n$/],
    ["not ready without workers", WITHOUT_WORKERS, "/readyz", 503, /^not ready: no worker runs\n$/],
  ];
  for (const [what, state, path, expected, words] of cases) {
    test(`find it ${what}`, async () => {
      const { status, text } = await ask(inState(state), path);
      assert.equal(status, expected);
      assert.match(text, words);
    });
  }

  test("are answered while workers give no answer", async () => {
    const hanging = statusOptions({ state: () => new Promise(() => {}) });
    for (const path of ["/healthz", "/readyz"]) {
      assert.equal((await ask(hanging, path)).status, 200, path);
    }
  });
});

describe("metrics of the status port", () => {
  const sample = { timestamp: 1, metric: "keyless.conn.open", value: 2, hostname: "box-7" };
  const snapshot = {
    ...{ name: "keyless_conn_open", help: "Open.", type: "gauge" as const, aggregator: "sum" },
    values: [{ labels: {}, value: 2 }],
  };
  const options = statusOptions({
    samples: () => Promise.resolve([sample]),
    snapshot: () => Promise.resolve([snapshot]),
  });
  const text =
    "# HELP keyless_conn_open Open.\n# TYPE keyless_conn_open gauge\nkeyless_conn_open 2\n";

  test("are JSON", async () => {
    for (
      const [path, query] of [["/_metrics", ""], ["/_metrics/json", ""], [
        "/_metrics",
        "format=json",
      ]]
    ) {
      assert.deepEqual(JSON.parse((await ask(options, path!, query)).text), [sample]);
    }
  });

  test("are for Prometheus by path or by format", async () => {
    for (
      const [path, query] of [["/_metrics/prometheus", ""], ["/_metrics", "format=prometheus"]]
    ) {
      const reply = await ask(options, path!, query);
      assert.equal(reply.text, text);
      assert.match(reply.type, /^text\/plain; version=0\.0\.4/);
    }
  });

  test("are OpenMetrics where the query says so; another format is refused, with what there is", async () => {
    const { text, type } = await ask(options, "/_metrics/prometheus", "format=openmetrics");
    assert.match(text, /\n# EOF\n$/);
    assert.match(type, /^application\/openmetrics-text/);
    for (const path of ["/_metrics", "/_metrics/prometheus"]) {
      const reply = await ask(options, path, "format=bogus");
      assert.equal(reply.status, 400);
      assert.match(reply.text, /^format is /);
    }
  });
});

describe("/_shutdown", () => {
  test("is not there unless it is enabled, and the answer says how", () => {
    const routes = statusRoutes(statusOptions());
    assert.equal(routes.some(({ path }) => path === "/_shutdown"), false);
    assert.match(statusNotFound("/_shutdown"), /--enable-shutdown/);
  });

  test("is POST alone, and stops the server once its answer has left", async () => {
    let stops = 0;
    const options = statusOptions({ shutdown: () => void stops++ }, { shutdown: true });
    assert.equal(routeOf(statusRoutes(options), "/_shutdown").method, "POST");
    const { status, sent } = await ask(options, "/_shutdown");
    assert.deepEqual([status, stops], [200, 0]);
    sent?.();
    assert.equal(stops, 1);
  });

  test("refuses a web page and a foreign host", async () => {
    const options = statusOptions({}, { shutdown: true });
    const page = { host: "localhost", origin: "https://evil.example" };
    for (const headers of [page, { host: "evil.example" }]) {
      const { status, text, sent } = await ask(options, "/_shutdown", "", headers);
      assert.deepEqual([status, sent], [403, undefined]);
      assert.match(text, /^refused: /);
    }
  });
});

describe("/debug/pprof/", () => {
  const options = statusOptions({}, { pprof: true });

  test("is not there unless it is enabled, and the answer says how", () => {
    const routes = statusRoutes(statusOptions({}, { heapProfile: true }));
    assert.equal(routes.some(({ path }) => path.startsWith("/debug")), false);
    assert.match(statusNotFound("/debug/pprof/heap"), /--enable-pprof/);
  });

  test("lists what there is, the command line, and what runs", async () => {
    assert.match((await ask(options, "/debug/pprof/")).text, /profile\?seconds=30/);
    assert.equal(
      (await ask(options, "/debug/pprof/cmdline")).text,
      "keyless\0serve\0--port\x000\n",
    );
    const running = (await ask(options, "/debug/pprof/goroutine", "debug=1")).text;
    assert.match(running, /^requests in flight: 3$/m);
    assert.match(running, /^oldest request in flight, ms: 42$/m);
    assert.match(running, /^workers: 2\nworkers that died and were replaced: 1$/m);
    assert.match(running, /^requests waiting for a signing thread: 1234$/m);
    assert.match(running, /^signing threads busy: 1 of 2\nrequests shed, full: 7$/m);
    assert.match(running, /^worker 1: 2 connections, 3 in flight\nworker 2: 1 connections, 0/m);
  });

  test("has no heap profile unless that is enabled too", async () => {
    const { status, text } = await ask(options, "/debug/pprof/heap");
    assert.equal(status, 404);
    assert.match(text, /--enable-heap-profile/);
  });

  test("says of what runtimes lack that they do", async () => {
    for (const name of ["allocs", "block", "mutex", "threadcreate", "trace"]) {
      assert.equal((await ask(options, `/debug/pprof/${name}`)).status, 501, name);
    }
  });

  test("refuses a web page everywhere", async () => {
    const routes = statusRoutes(options).filter(({ path }) => path.startsWith("/debug/pprof/"));
    assert.ok(routes.length >= 5);
    for (const route of routes) {
      const request = requestOf("", { host: "localhost", origin: "null" });
      assert.equal((await route.reply(request)).status, 403, route.path);
    }
  });

  for (const seconds of ["0", "61", "-1", "1.5", "1e1", "", "x", "100"]) {
    test(`takes no profile of ${JSON.stringify(seconds)} seconds`, async () => {
      const { status, text } = await ask(options, "/debug/pprof/profile", `seconds=${seconds}`);
      assert.equal(status, 400);
      assert.match(text, /from 1 to 60/);
    });
  }
});
