import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import type { OtlpTracer } from "../../../src/telemetry/tracing/otlp_tracer.ts";
import { accept, FakeCollector } from "../../support/collector.ts";
import type { MemoryLog } from "../../support/memory_log.ts";
import { QUICK, request, tracerFor as patientTracerFor } from "./traced.ts";

const stray: unknown[] = [];
const keepStray = (thrown: unknown) => stray.push(thrown);

before(() => process.on("unhandledRejection", keepStray));

after(() => {
  process.off("unhandledRejection", keepStray);
  assert.deepEqual(stray, []);
});

/** Requests until the log has a line of the event. */
async function requestUntil(event: string, tracer: OtlpTracer, log: MemoryLog): Promise<void> {
  const timer = setInterval(() => request(tracer), 10);
  await log.event(event);
  clearInterval(timer);
}

function eventsOf(log: MemoryLog): unknown[] {
  return log.lines.map(({ fields }) => (fields as { readonly event: string }).event);
}

/** A port of loopback where nobody listens. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** Gives an export up soon: collectors fail here. */
const tracerFor: typeof patientTracerFor = (url, options = {}) =>
  patientTracerFor(url, { ...options, limits: { exportMs: 400, ...options.limits } });

describe("a collector that is not there", () => {
  test("costs one line in the log, and another when it is", { timeout: 20_000 }, async () => {
    const port = await closedPort();
    const { tracer, log } = tracerFor(`http://127.0.0.1:${port}/v1/traces`);
    await requestUntil("traces_failing", tracer, log);
    for (let i = 0; i < 5; i++) {
      request(tracer);
      await new Promise((resolve) => setTimeout(resolve, 2 * QUICK.batchMs));
    }
    assert.deepEqual(eventsOf(log), ["traces_failing"]);
    const collector = await FakeCollector.start(port);
    await requestUntil("traces_resumed", tracer, log);
    const [failing, resumed] = log.lines;
    assert.equal(failing?.level, "warn");
    assert.equal(failing?.fields["collector"], `http://127.0.0.1:${port}/v1/traces`);
    assert.match(String(failing?.fields["reason"]), /refused|connect|ECONN/i);
    assert.equal(resumed?.level, "info");
    assert.ok(Number(resumed?.fields["lost"]) > 0);
    await tracer.stop();
    await collector.stop();
    assert.deepEqual(eventsOf(log), ["traces_failing", "traces_resumed"]);
  });

  test("does not keep the tracer from ending", async () => {
    const { tracer, log } = tracerFor(`http://127.0.0.1:${await closedPort()}/v1/traces`, {
      limits: { exportMs: 60_000, stopMs: 200 },
    });
    request(tracer);
    const startMs = performance.now();
    await tracer.stop();
    assert.ok(performance.now() - startMs < 1_000);
    const { lost } = log.lines.at(-1)?.fields as { readonly lost: number };
    assert.equal(lost, 5);
    assert.equal(log.lines.at(-1)?.fields["event"], "traces_lost");
  });

  test("makes nothing pile up: what is above the limit is not even traced", async () => {
    const { tracer, log } = tracerFor(`http://127.0.0.1:${await closedPort()}/v1/traces`, {
      limits: { maxWaiting: 20, batchMs: 60_000, stopMs: 100 },
    });
    const traced = Array.from({ length: 100 }, () => request(tracer)).filter(Boolean);
    assert.equal(traced.length, 4);
    assert.deepEqual(eventsOf(log), ["traces_failing"]);
    assert.match(String(log.lines[0]?.fields["reason"]), /fewer spans/);
    await tracer.stop();
    assert.equal(log.lines.at(-1)?.fields["event"], "traces_lost");
    assert.equal(log.lines.at(-1)?.fields["lost"], 20 + 96);
  });
});

describe("a collector that refuses", () => {
  const refusals: readonly [string, number, RegExp][] = [
    ["for want of a token", 401, /^HTTP 401/],
    ["because it is overloaded", 503, /retryable status/],
  ];
  for (const [why, status, reason] of refusals) {
    test(`${why} is a line with the reason`, async () => {
      const collector = await FakeCollector.start();
      collector.behaviour = (response) => response.writeHead(status).end("\u001b[31mbody");
      const { tracer, log } = tracerFor(collector.url);
      await requestUntil("traces_failing", tracer, log);
      assert.match(String(log.lines[0]?.fields["reason"]), reason);
      assert.doesNotMatch(JSON.stringify(log.lines), /body/);
      collector.behaviour = accept;
      await requestUntil("traces_resumed", tracer, log);
      await tracer.stop();
      await collector.stop();
    });
  }

  test("once, and takes the spans at the second attempt, loses nothing", async () => {
    const collector = await FakeCollector.start();
    let refusals = 0;
    collector.behaviour = (response) => {
      collector.behaviour = accept;
      refusals += 1;
      response.writeHead(503, { "retry-after": new Date(0).toUTCString() }).end(); // at once
    };
    const { tracer, log } = tracerFor(collector.url, { limits: { exportMs: 5_000 } });
    request(tracer);
    await collector.requests(1);
    await tracer.stop();
    await collector.stop();
    assert.equal(refusals, 1);
    assert.deepEqual(log.lines, []);
  });
});

describe("a collector that does not answer", () => {
  test("is given up, and the next spans are tried", { timeout: 20_000 }, async () => {
    const collector = await FakeCollector.start();
    collector.behaviour = () => {};
    const { tracer, log } = tracerFor(collector.url);
    await requestUntil("traces_failing", tracer, log);
    collector.behaviour = accept;
    await requestUntil("traces_resumed", tracer, log);
    await tracer.stop();
    await collector.stop();
  });

  test("to the end, but byte by byte, is given up, and the next spans are tried", async () => {
    const collector = await FakeCollector.start();
    const dripping = new Set<ReturnType<typeof setInterval>>();
    collector.behaviour = (response) => {
      response.writeHead(200).write("{");
      dripping.add(setInterval(() => response.write(" "), 20));
    };
    const { tracer, log } = tracerFor(collector.url);
    await requestUntil("traces_failing", tracer, log);
    assert.equal(log.lines[0]?.fields["reason"], "it takes longer than 0.4 s");
    collector.behaviour = accept;
    await requestUntil("traces_resumed", tracer, log);
    for (const timer of dripping) clearInterval(timer);
    await tracer.stop();
    await collector.stop();
    assert.deepEqual(eventsOf(log), ["traces_failing", "traces_resumed"]);
  });

  test("does not keep the tracer from ending", async () => {
    const silent = await SilentServer.start();
    const { tracer, log } = tracerFor(`http://127.0.0.1:${silent.port}/v1/traces`, {
      limits: { exportMs: 60_000, stopMs: 200 },
    });
    request(tracer);
    const startMs = performance.now();
    await tracer.stop();
    assert.ok(performance.now() - startMs < 1_000);
    assert.deepEqual(eventsOf(log), ["traces_lost"]);
    silent.stop();
  });

  test("that is no HTTP server at all is a line with the reason", async () => {
    const server = await SilentServer.start((socket) => socket.end("SSH-2.0-OpenSSH_9.2\r\n"));
    const { tracer, log } = tracerFor(`http://127.0.0.1:${server.port}/v1/traces`);
    await requestUntil("traces_failing", tracer, log);
    assert.notEqual(log.lines[0]?.fields["reason"], "");
    await tracer.stop();
    server.stop();
  });
});

describe("stop", () => {
  test("sends what is waiting first", async () => {
    const collector = await FakeCollector.start();
    const { tracer, log } = tracerFor(collector.url, {
      limits: { batchMs: 60_000, exportMs: 10_000, stopMs: 10_000 },
    });
    for (let i = 0; i < 1_000; i++) request(tracer);
    await tracer.stop();
    assert.equal((await collector.requests(1_000)).length, 1_000);
    assert.deepEqual(log.lines, []);
    await collector.stop();
  });

  test("of a tracer that has nothing to send is immediate; requests after it are not traced", async () => {
    const { tracer, log } = tracerFor("http://127.0.0.1:9/v1/traces");
    await tracer.stop();
    assert.equal(request(tracer), undefined);
    await tracer.stop();
    assert.deepEqual(log.lines, []);
  });
});

/** Takes connections, and says nothing of HTTP. */
class SilentServer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(greet: (socket: Socket) => void) {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket.on("error", () => {}));
      greet(socket);
    });
  }

  static async start(greet: (socket: Socket) => void = () => {}): Promise<SilentServer> {
    const silent = new SilentServer(greet);
    silent.#server.listen(0, "127.0.0.1");
    await once(silent.#server, "listening");
    return silent;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
