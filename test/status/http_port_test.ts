import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import { afterEach, describe, test } from "node:test";
import fc from "fast-check";
import { HttpMetrics } from "../../src/status/http_metrics.ts";
import { type HttpPort, type HttpPortOptions, openHttpPort } from "../../src/status/http_port.ts";
import { type Route, textReply } from "../../src/status/route.ts";
import { renderMetrics } from "../../src/telemetry/metrics/render.ts";
import { askHttp, closed, openHttp, readToEnd, sendHttp } from "../support/http_client.ts";
import { MemoryLog } from "../support/memory_log.ts";
import { makeTempDir } from "../support/temp_dir.ts";

const FLAGS = { port: "another --x-port", bind: "--x-bind", path: "another --x" };
const HELLO: Route = { path: "/hello", method: "GET", reply: () => textReply(200, "hello") };

const NOTHING = new Uint8Array(0);

let ports: HttpPort[] = [];
afterEach(() => {
  for (const port of ports) port.close();
  ports = [];
});

async function open(options: Partial<HttpPortOptions> = {}): Promise<{
  readonly http: HttpPort;
  readonly port: number;
  readonly log: MemoryLog;
  readonly metrics: HttpMetrics;
}> {
  const log = new MemoryLog();
  const metrics = new HttpMetrics();
  const http = await openHttpPort({
    address: { kind: "tcp", host: "127.0.0.1", port: 0, tls: false },
    routes: [HELLO],
    notFound: (path) => `nothing at ${path}`,
    flags: FLAGS,
    metrics,
    log,
    ...options,
  });
  ports.push(http);
  return { http, port: http.port ?? 0, log, metrics };
}

describe("an HTTP port answers", () => {
  test("a route, with headers that keep browsers from guessing and storing", async () => {
    const { port } = await open();
    const { status, headers, body } = await askHttp({ port }, "GET /hello");
    assert.deepEqual([status, body], [200, "hello\n"]);
    assert.equal(headers["content-type"], "text/plain; charset=utf-8");
    assert.equal(headers["x-content-type-options"], "nosniff");
    assert.equal(headers["cache-control"], "no-store");
    assert.equal(headers["connection"], "close");
  });

  test("HEAD like GET, without the body", async () => {
    const { port } = await open();
    const { status, headers, body } = await askHttp({ port }, "HEAD /hello");
    assert.deepEqual([status, body, headers["content-length"]], [200, "", "6"]);
  });

  test("an unknown path with 404, and another method with 405 and Allow", async () => {
    const { port } = await open();
    const unknown = await askHttp({ port }, "GET /hello/");
    assert.deepEqual([unknown.status, unknown.body], [404, "nothing at /hello/\n"]);
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"]) {
      const { status, headers } = await askHttp({ port }, `${method} /hello`);
      assert.deepEqual([method, status, headers["allow"]], [method, 405, "GET, HEAD"]);
    }
  });

  test("a path by what it says, not by what it might mean", async () => {
    const { port } = await open();
    for (const path of ["/HELLO", "/%68ello", "//hello", "/./hello", "http://x/hello", "*"]) {
      assert.equal((await askHttp({ port }, `GET ${path}`)).status, 404, path);
    }
  });

  test("HTTP/1.0 without a Host, and no HTTP/1.1 without one", async () => {
    const { port } = await open();
    assert.equal((await sendHttp({ port }, "GET /hello HTTP/1.0\r\n\r\n")).status, 200);
    assert.equal((await sendHttp({ port }, "GET /hello HTTP/1.1\r\n\r\n")).status, 400);
  });

  test("no two Hosts, of which a proxy may have read the other one", async () => {
    const { port } = await open();
    const request = "GET /hello HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n";
    const { status, body } = await sendHttp({ port }, request);
    assert.deepEqual([status, body], [400, "the header Host must stand once\n"]);
  });

  for (const expectation of ["100-continue", "tea"]) {
    test(`a request that expects ${expectation} like any other`, async () => {
      const { port } = await open();
      const headers = { Expect: expectation, "Content-Length": "5" };
      const answer = await askHttp({ port }, "GET /hello", headers);
      assert.deepEqual([answer.status, answer.body], [200, "hello\n"]);
      assert.equal(answer.headers["x-content-type-options"], "nosniff");
    });
  }

  test("though more was sent with the request than it takes", async () => {
    const { port } = await open();
    const tail = "a".repeat(300_000);
    const head = `GET /hello HTTP/1.1\r\nHost: x\r\nContent-Length: ${tail.length}\r\n\r\n`;
    assert.equal((await sendHttp({ port }, head + tail)).status, 200);
  });

  test("a client that has closed its own half", async () => {
    const { port } = await open();
    const socket = await openHttp({ port });
    socket.end("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    assert.match(new TextDecoder().decode(await readToEnd(socket)), /^HTTP\/1\.1 200 .*hello\n$/s);
  });

  test("a defect in a route with 500, and says more in the log alone", async () => {
    const reply = () => Promise.reject(new Error("the secret reason"));
    const { port, log } = await open({ routes: [{ ...HELLO, reply }] });
    const { status, body } = await askHttp({ port }, "GET /hello");
    assert.equal(status, 500);
    assert.doesNotMatch(body, /secret/);
    assert.equal(log.lines[0]?.fields["reason"], "the secret reason");
  });

  test("a request whose body never comes", async () => {
    const routes: Route[] = [{ ...HELLO, method: "POST" }];
    const { port } = await open({ routes });
    const headers = { "Content-Length": "1000000" };
    assert.equal((await askHttp({ port }, "POST /hello", headers)).status, 200);
  });

  test("one request of a connection, whatever was sent behind it", async () => {
    let asked = 0;
    const reply = () => textReply(200, String(++asked));
    const { port } = await open({ routes: [{ ...HELLO, reply }] });
    const request = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";
    const { body } = await sendHttp({ port }, request.repeat(3));
    assert.equal(body, "1\n");
    assert.equal(asked, 1);
  });
});

describe("an HTTP port refuses", () => {
  const refused: readonly [what: string, status: number, bytes: string][] = [
    ["what is no HTTP", 400, "hello\r\n\r\n"],
    ["a TLS client", 400, "\u0016\u0003\u0001\u0000\u0001\u0000\r\n\r\n"],
    [
      "a WebSocket",
      400,
      "GET /hello HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    ],
    ["to be a proxy", 400, "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n"],
    ["a header that is too large", 431, `GET /hello HTTP/1.1\r\nA: ${"a".repeat(8_200)}\r\n\r\n`],
    ["a path that is too long", 431, `GET /${"a".repeat(8_200)} HTTP/1.1\r\nHost: x\r\n\r\n`],
  ];
  for (const [what, status, bytes] of refused) {
    test(what, async () => {
      const { port, metrics } = await open();
      const answer = await sendHttp({ port }, bytes);
      assert.equal(answer.status, status);
      assert.equal(answer.headers["x-content-type-options"], "nosniff");
      const label = `{outcome="CLIENT_ERROR",status="${status}",uri="UNKNOWN"}`;
      const text = await renderMetrics(metrics.registry.snapshot());
      assert.ok(text.includes(`http_server_requests_seconds_count${label} 1\n`), text);
    });
  }

  test("any other bytes, and lives on", async () => {
    // Deno may overlook the end of a connection on which nothing came
    const { port } = await open({ limits: { requestMs: 300 } });
    const bytes = fc.uint8Array({ maxLength: 200 });
    const start = fc.constantFrom("", "GET ", "GET /hello ", "GET /hello HTTP/1.1\r\n");
    await fc.assert(
      fc.asyncProperty(start, bytes, async (head, tail) => {
        const socket = await openHttp({ port });
        socket.write(head);
        socket.end(tail);
        const answer = new TextDecoder().decode(await readToEnd(socket).catch(() => NOTHING));
        assert.match(answer, /^(?:$|HTTP\/1\.1 4\d\d )/);
      }),
      { numRuns: 50 },
    );
    assert.equal((await askHttp({ port }, "GET /hello")).status, 200);
  });

  test("a header at its limit not yet", async () => {
    const { port } = await open();
    const head = "GET /hello HTTP/1.1\r\nHost: x\r\nA: ";
    const { status } = await sendHttp(
      { port },
      `${head}${"a".repeat(8_192 - head.length - 8)}\r\n\r\n`,
    );
    assert.equal(status, 200);
  });
});

describe("an HTTP port bounds", () => {
  test("the time that a silent and a dripping peer may take to ask", async () => {
    const { port, metrics } = await open({ limits: { requestMs: 100 } });
    const silent = await openHttp({ port });
    const dripping = await openHttp({ port });
    dripping.write("GET /");
    const drip = setInterval(() => dripping.write("a"), 10);
    await Promise.all([closed(silent), closed(dripping)]);
    clearInterval(drip);
    const text = await renderMetrics(metrics.registry.snapshot());
    assert.match(text, /http_server_connections_cut_total\{reason="slow"\} 2\n/);
  });

  test("the time that a peer may take to read its response", async () => {
    const large = new Uint8Array(32_000_000);
    const reply = () => ({ status: 200, type: "text/plain", body: large });
    const { port, metrics } = await open({
      routes: [{ ...HELLO, reply }],
      limits: { responseMs: 200 },
    });
    const socket = await openHttp({ port });
    socket.pause();
    socket.write("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    await until(() => metrics.active === 1);
    await until(() => metrics.active === 0);
    socket.destroy();
    const text = await renderMetrics(metrics.registry.snapshot());
    assert.match(text, /http_server_connections_cut_total\{reason="slow"\} 1\n/);
    assert.match(text, /http_server_requests_seconds_count\{.*status="200",uri="\/hello"\} 1\n/);
  });

  test("connections: at the limit newcomers wait until the oldest silent one has had its time", async () => {
    const { port, metrics } = await open({ limits: { maxConnections: 3, graceMs: 100 } });
    const silent = [];
    for (let i = 0; i < 3; i++) silent.push(await openHttp({ port }));
    const startMs = performance.now();
    assert.equal((await askHttp({ port }, "GET /hello")).status, 200);
    assert.ok(performance.now() - startMs > 50, "it waited");
    await closed(silent[0]!);
    assert.deepEqual(silent.map(({ destroyed }) => destroyed), [true, false, false]);
    const text = await renderMetrics(metrics.registry.snapshot());
    assert.match(text, /http_server_connections_cut_total\{reason="limit"\} 1\n/);
  });

  test("connections: who is being answered does not give way, and newcomers wait", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const reply = async () => {
      await promise;
      return textReply(200, "at last");
    };
    const { port, metrics } = await open({
      routes: [HELLO, { path: "/slow", method: "GET", reply }],
      limits: { maxConnections: 1, graceMs: 0 },
    });
    const slow = askHttp({ port }, "GET /slow");
    await until(() => metrics.active === 1);
    const hello = askHttp({ port }, "GET /hello");
    await new Promise((done) => setTimeout(done, 50));
    resolve();
    assert.equal((await slow).body, "at last\n");
    assert.equal((await hello).body, "hello\n");
  });

  test("how many connections it begins in a second, and has the others wait", async () => {
    const { port } = await open({ limits: { startsPerSecond: 50, startsAtOnce: 2 } });
    const startMs = performance.now();
    const answers = await Promise.all(
      Array.from({ length: 12 }, () => askHttp({ port }, "GET /hello")),
    );
    assert.deepEqual(answers.map(({ status }) => status), Array(12).fill(200));
    const durationMs = performance.now() - startMs;
    assert.ok(durationMs >= 190, `ten waited 20 ms each, all in ${durationMs} ms`);
  });

  test("connections that wait: those beyond are cut at once", async () => {
    const { port, metrics } = await open({ limits: { maxConnections: 1, maxWaiting: 2 } });
    const kept = [];
    for (let i = 0; i < 3; i++) kept.push(await openHttp({ port }));
    await openHttp({ port }).then(closed, () => {}); // it may be cut before it knows
    const text = await renderMetrics(metrics.registry.snapshot());
    assert.match(text, /http_server_connections_cut_total\{reason="limit"\} 1\n/);
    assert.deepEqual(kept.map(({ destroyed }) => destroyed), [false, false, false]);
  });

  test("what a client leaves that goes before its answer", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const reply = async () => {
      await promise;
      return textReply(200, "late");
    };
    const { port, metrics } = await open({ routes: [{ ...HELLO, reply }] });
    const socket = await openHttp({ port });
    socket.write("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    await until(() => metrics.active === 1);
    socket.destroy();
    resolve();
    await until(() => metrics.active === 0);
    assert.equal((await askHttp({ port }, "GET /hello")).status, 200);
  });
});

describe("an HTTP port measures", () => {
  test("its requests, by route and outcome, and their bytes", async () => {
    const { port, metrics } = await open();
    const { bytes } = await askHttp({ port }, "GET /hello");
    await askHttp({ port }, "GET /nothing?secret=1");
    await until(() => metrics.active === 0);
    const text = await renderMetrics(metrics.registry.snapshot());
    const count = (status: number, outcome: string, uri: string) =>
      `http_server_requests_seconds_count{outcome="${outcome}",status="${status}",uri="${uri}"} 1\n`;
    assert.ok(text.includes("# TYPE http_server_requests_seconds summary\n"), text);
    assert.ok(text.includes(count(200, "SUCCESS", "/hello")), text);
    assert.ok(text.includes(count(404, "CLIENT_ERROR", "UNKNOWN")), text);
    assert.doesNotMatch(text, /secret|nothing/);
    assert.match(text, /http_server_bytes_written_count 2\n/);
    assert.match(text, /http_server_bytes_read_count 2\n/);
    const read = Number(/http_server_bytes_read_sum (\d+)/.exec(text)?.[1]);
    assert.equal(read, "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n".length * 2 + 11);
    const written = Number(/http_server_bytes_written_sum (\d+)/.exec(text)?.[1]);
    assert.ok(written > bytes.length * 2, `${written}`);
    assert.match(text, /http_server_active_requests 0\n/);
  });
});

describe("an HTTP port listens", () => {
  test("nowhere where another does, and says what to change", async () => {
    const { port } = await open();
    const address = { kind: "tcp", host: "127.0.0.1", port, tls: false } as const;
    await assert.rejects(open({ address }), (error: Error & { code?: string }) => {
      assert.equal(error.code, "LISTEN");
      assert.match(error.message, /another process listens there; .*choose another --x-port$/);
      return true;
    });
  });

  test("on a UNIX socket that is its user's alone, and removes it", async () => {
    const dir = makeTempDir();
    const path = dir.at("status.sock");
    const { http } = await open({ address: { kind: "unix", path } });
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.equal((await askHttp({ path }, "GET /hello")).body, "hello\n");
    const second = open({ address: { kind: "unix", path } });
    await assert.rejects(second, /another process has it open/);
    http.close();
    assert.equal(existsSync(path), false);
    dir.remove();
  });

  test("no more once it is closed, and cuts who is connected", async () => {
    const { http, port } = await open();
    const socket = await openHttp({ port });
    http.close();
    await closed(socket);
    await assert.rejects(openHttp({ port }), /ECONNREFUSED/);
  });
});

/** Waits for what the peer sees nothing of. */
async function until(holds: () => boolean): Promise<void> {
  do await new Promise((resolve) => setTimeout(resolve, 2)); while (!holds());
}
