import assert from "node:assert/strict";
import { createServer as createHttpsServer } from "node:https";
import { type AddressInfo, createServer } from "node:net";
import { hostname } from "node:os";
import { afterEach, beforeEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Authority } from "../../../src/pki/authority.ts";
import { graphiteSink } from "../../../src/telemetry/metrics/graphite.ts";
import { httpSink } from "../../../src/telemetry/metrics/http_push.ts";
import {
  type Push,
  type PushOutcome,
  type Sink,
  startPush,
} from "../../../src/telemetry/metrics/push.ts";
import { MainMetrics } from "../../../src/telemetry/main_metrics.ts";
import { ServerMetrics } from "../../../src/telemetry/server_metrics.ts";
import { MemoryLog } from "../../support/memory_log.ts";
import { sampleValue, scrape } from "../../support/metrics.ts";
import { GraphiteSink, HttpSink, samplesOf } from "../../support/sinks.ts";

const INTERVAL_MS = 20;
const LAST_PUSH_MS = 100;

let main: MainMetrics;
let metrics: ServerMetrics;
let log: MemoryLog;
let outcomes: PushOutcome[];
let graphite: GraphiteSink;
let http: HttpSink;
let push: Push | undefined;
let counted: (() => void)[];
let alive: ReturnType<typeof setInterval>;

beforeEach(() => {
  alive = setInterval(() => {}, 1_000); // a push does not keep a process running
  main = new MainMetrics();
  metrics = new ServerMetrics(main);
  log = new MemoryLog();
  outcomes = [];
  counted = [];
  graphite = new GraphiteSink();
  http = new HttpSink();
});
afterEach(async () => {
  await push?.stop();
  push = undefined;
  await graphite.close();
  await http.close();
  clearInterval(alive);
});

/** A sink of each kind, on a port where a server may come to listen. */
const KINDS = {
  graphite: () => ({ server: graphite, sink: graphiteSink("127.0.0.1", graphite.port, "keyless") }),
  url: () => ({ server: http, sink: httpSink(`http://127.0.0.1:${http.port}/x`, "keyless") }),
} as const;

for (const [kind, create] of Object.entries(KINDS)) {
  describe(`a push to a sink of the kind ${kind}`, () => {
    /** A server that listens; or that did, and does no more. */
    async function start(state: "up" | "down", timeoutMs?: number) {
      const { server } = create();
      await server.open();
      const made = create();
      if (state === "down") await server.close();
      startWith(made.sink, timeoutMs);
      return made;
    }

    test("begins at once, goes on at every interval, and is counted", async () => {
      const { server } = await start("up");
      await server.until(() => server.items.length >= 3);
      await untilCounted("ok", 3);
      assert.deepEqual(new Set(outcomes.filter((each) => each !== "skipped")), new Set(["ok"]));
      assert.deepEqual(log.lines, []);
      const samples = await scrape(main.registry.snapshot());
      const pushes = { sink: kind, outcome: "ok" };
      assert.ok(sampleValue(samples, "keyless_metrics_pushes_total", pushes) >= 3);
    });

    test("whose sink is down from the start says so once, and once when it is there", async () => {
      const { server } = await start("down");
      await untilCounted("failed", 4);
      assert.deepEqual(eventsOf(log), ["metrics_push_failed"]);
      const { level, fields } = log.lines[0]!;
      assert.equal(level, "warn");
      assert.equal(fields["sink"], kind);
      assert.match(String(fields["address"]), new RegExp(`127\\.0\\.0\\.1:${server.port}$`));
      assert.match(String(fields["reason"]), /ECONNREFUSED/);
      await server.open();
      await log.event("metrics_push_recovered");
      await untilCounted("ok", 3);
      assert.deepEqual(eventsOf(log), ["metrics_push_failed", "metrics_push_recovered"]);
    });

    test("whose sink goes and comes back says each once, every time", async () => {
      const { server } = await start("up");
      await untilCounted("ok", 1);
      for (let round = 1; round <= 2; round++) {
        await server.close();
        await untilCounted("failed", 3 * round);
        const ok = outcomes.filter((each) => each === "ok").length;
        await server.open();
        await untilCounted("ok", ok + 2);
      }
      const both = ["metrics_push_failed", "metrics_push_recovered"];
      assert.deepEqual(eventsOf(log), [...both, ...both]);
    });

    test("that its sink does not answer is given up, and none piles up behind it", async () => {
      const { server } = create();
      server.manner = "silent";
      await start("up", 6 * INTERVAL_MS);
      await untilCounted("failed", 2);
      assert.ok(outcomes.filter((each) => each === "skipped").length >= 4, outcomes.join());
      assert.ok(server.mostConnections <= 2, "one, and perhaps one that is being closed");
      assert.deepEqual(eventsOf(log), ["metrics_push_failed"]);
      assert.equal(log.lines[0]?.fields["reason"], "it takes longer than 0.12 s");
      server.manner = "good";
      await log.event("metrics_push_recovered");
    });

    test("ends with one more when it is stopped, and leaves nothing open", async () => {
      const { server } = await start("up");
      await untilCounted("ok", 1);
      await push!.stop();
      const stopped = outcomes.length;
      assert.equal(outcomes.at(-1), "ok");
      await server.until(() => server.connections === 0);
      assert.equal(server.items.length, outcomes.filter((each) => each === "ok").length);
      await sleep(3 * INTERVAL_MS); // nothing comes that could be waited for
      assert.equal(outcomes.length, stopped);
    });

    test("under way at the stop is cut in time, without a line", async () => {
      const { server } = create();
      server.manner = "silent";
      await start("up");
      await server.until(() => server.connections === 1);
      const begunMs = performance.now();
      await push!.stop();
      const tookMs = performance.now() - begunMs;
      assert.ok(tookMs >= LAST_PUSH_MS - 5 && tookMs < LAST_PUSH_MS + 1_500, `${tookMs} ms`);
      assert.equal(outcomes.at(-1), "failed");
      assert.deepEqual(log.lines, []);
      // who does not read does not see the end either
      if (kind === "url") await server.until(() => server.connections === 0);
    });

    test("to a sink that is down ends at once when it is stopped", async () => {
      await start("down");
      await untilCounted("failed", 1);
      const begunMs = performance.now();
      await push!.stop();
      assert.ok(performance.now() - begunMs < 500);
    });

    test("is given up where something else answers: garbage without end", async () => {
      const server = createServer((socket) => {
        socket.on("error", () => {});
        const write = () => socket.writable && socket.write("\u0000<h1>".repeat(1_000), write);
        write();
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const { port } = server.address() as AddressInfo;
      graphite.port = http.port = port;
      startWith(create().sink, 10 * INTERVAL_MS);
      await log.event("metrics_push_failed");
      await push!.stop();
      await new Promise((resolve) => server.close(resolve));
    });
  });
}

test("Graphite gets lines of a name, a number and a Unix time", async () => {
  await graphite.open();
  metrics.established(ESTABLISHED, "TLSv1.3");
  metrics.refused("timeout", 10_000);
  startWith(graphiteSink("127.0.0.1", graphite.port, "edge-1.keyless"));
  const text = await graphite.next();
  assert.ok(text.endsWith("\n"));
  const lines = text.trimEnd().split("\n").map((line) => line.split(" "));
  const nowSeconds = Date.now() / 1_000;
  for (const [name = "", value = "", time = "", ...more] of lines) {
    assert.match(name, /^edge-1\.keyless(?:\.[a-z0-9_-]+){3}$/);
    assert.match(value, /^\d+(?:\.\d+)?(?:e[+-]\d+)?$/);
    assert.ok(Math.abs(Number(time) - nowSeconds) < 60, time);
    assert.deepEqual(more, []);
  }
  const values = new Map(lines.map(([name, value]) => [name, Number(value)]));
  assert.equal(values.size, lines.length);
  assert.equal(values.get("edge-1.keyless.accept.total.count"), 2);
  assert.equal(values.get("edge-1.keyless.accept.timeout.count"), 1);
  assert.equal(values.get("edge-1.keyless.conn.open.value"), 0);
  assert.equal(values.get("edge-1.keyless.conn.handshake.count"), 1);
  for (const part of ["min", "max", "mean", "50-percentile", "99-percentile"]) {
    const nanoseconds = values.get(`edge-1.keyless.conn.handshake.${part}`) ?? NaN;
    assert.ok(Math.abs(nanoseconds - 5e6) < 5e4, part);
  }
});

describe("the URL", () => {
  test("gets a POST of the JSON form, with the URL's path, query and credentials", async () => {
    await http.open();
    metrics.established(ESTABLISHED, "TLSv1.3");
    startWith(httpSink(`http://me:p%40ss@127.0.0.1:${http.port}/in?db=k%20l#top`, "keyless"));
    const post = await http.next();
    assert.equal(post.method, "POST");
    assert.equal(post.url, "/in?db=k%20l");
    assert.equal(post.headers["content-type"], "application/json");
    assert.equal(post.headers["authorization"], `Basic ${btoa("me:p@ss")}`);
    assert.equal(post.headers["content-length"], String(post.body.length));
    const samples = samplesOf(post);
    const handshakes = samples.find(({ metric }) => metric === "keyless.conn.handshake.count");
    assert.equal(handshakes?.value, 1);
    for (const sample of samples) {
      assert.deepEqual(Object.keys(sample), ["timestamp", "metric", "value", "hostname"]);
      assert.ok(Math.abs(sample.timestamp - Date.now() / 1_000) < 60);
      assert.equal(sample.hostname, hostname());
    }
  });

  for (const status of [400, 401, 500]) {
    test(`that answers ${status} is down, until it answers 204`, async () => {
      http.manner = { status };
      await http.open();
      startWith(httpSink(`http://127.0.0.1:${http.port}/`, "keyless"));
      const { fields } = await log.event("metrics_push_failed");
      assert.equal(fields["reason"], `it answers with status ${status}`);
      http.manner = { status: 204 };
      await log.event("metrics_push_recovered");
    });
  }

  test("that redirects is down: nobody follows it", async () => {
    await http.open();
    const other = new HttpSink();
    await other.open();
    http.manner = { status: 307, location: `http://127.0.0.1:${other.port}/elsewhere` };
    startWith(httpSink(`http://127.0.0.1:${http.port}/`, "keyless"));
    const { fields } = await log.event("metrics_push_failed");
    assert.equal(fields["reason"], "it answers with status 307");
    assert.deepEqual(other.items, []);
    await other.close();
  });

  test("of https is refused where no authority vouches for its certificate", async () => {
    const authority = await Authority.create("nobody's");
    const names = ["localhost"];
    const own = await authority.issue({ commonName: "sink", usages: ["server"], names });
    const server = createHttpsServer({ cert: own.certificatePem, key: own.keyPem });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    startWith(httpSink(`https://me:secret@localhost:${port}/?token=secret`, "keyless"));
    const { fields } = await log.event("metrics_push_failed");
    assert.equal(fields["address"], `https://localhost:${port}`);
    assert.match(String(fields["reason"]), /certificate/i);
    await push!.stop();
    await new Promise((resolve) => server.close(resolve));
  });

  test("is shown without its credentials, path and query, in every line", async () => {
    await http.open();
    const url = `http://me:secret@127.0.0.1:${http.port}/secret?token=secret#secret`;
    startWith(httpSink(url, "keyless"));
    await untilCounted("ok", 1);
    await http.close();
    await log.event("metrics_push_failed");
    await http.open();
    await log.event("metrics_push_recovered");
    http.manner = { status: 401 };
    await untilCounted("failed", outcomes.filter((each) => each === "failed").length + 1);
    assert.doesNotMatch(JSON.stringify(log.lines), /secret|me:/);
  });

  test("in a runtime's own message is replaced", async () => {
    const failure = new Error("error sending request for url (http://me:secret@h/x?secret): down");
    startWith({ name: "url", address: "http://h", send: () => Promise.reject(failure) });
    const { fields } = await log.event("metrics_push_failed");
    assert.equal(fields["reason"], "error sending request for url (http://h down");
  });
});

test("a sink that throws at once is a failed push", async () => {
  startWith({ name: "url", address: "x", send: () => raise() });
  await untilCounted("failed", 2);
  assert.deepEqual(eventsOf(log), ["metrics_push_failed"]);
});

test("metrics that cannot be had in time are a failed push, and do not keep it from ending", async () => {
  await graphite.open();
  const sink = graphiteSink("127.0.0.1", graphite.port, "keyless");
  startWith(sink, INTERVAL_MS, () => new Promise(() => {}));
  const { fields } = await log.event("metrics_push_failed");
  assert.equal(fields["reason"], "it takes longer than 0.02 s");
  await push!.stop();
  assert.deepEqual(graphite.items, []);
});

const ESTABLISHED = { handshakeMs: 5, certificates: [], listener: "127.0.0.1:1" };

function startWith(
  sink: Sink,
  timeoutMs?: number,
  read = () => Promise.resolve(main.base.values(metrics.registry.snapshot())),
): void {
  push = startPush({
    sinks: [sink],
    intervalMs: INTERVAL_MS,
    lastPushMs: LAST_PUSH_MS,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    read,
    count: (name, outcome) => {
      assert.equal(name, sink.name);
      outcomes.push(outcome);
      main.pushed(name, outcome);
      for (const wake of counted.splice(0)) wake();
    },
    log,
  });
}

async function untilCounted(outcome: PushOutcome, times: number): Promise<void> {
  while (outcomes.filter((each) => each === outcome).length < times) {
    await new Promise<void>((resolve) => counted.push(resolve));
  }
}

function eventsOf({ lines }: MemoryLog): unknown[] {
  return lines.map(({ fields }) => fields["event"]);
}

function raise(): never {
  throw new Error("at once");
}
