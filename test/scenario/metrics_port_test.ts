import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { after, afterEach, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { keyOf } from "../support/openssl.ts";
import { PROGRAM_NAMES, type RunningServer } from "../support/running_server.ts";
import { LOCAL, ServeFixture } from "../support/serve_fixture.ts";

const run = promisify(execFile);

let fixture: ServeFixture;
before(async () => {
  fixture = await ServeFixture.create();
  fixture.directory.write("p256.key", keyOf("P-256"));
});
after(() => fixture.remove());
afterEach(() => fixture.killServer());

const KEYS = ["--private-key-files", "p256.key"];
const DEFAULT_BIND = ["--metrics-port", "0"];

async function curl(...args: readonly string[]): Promise<string> {
  return (await run("curl", ["-sS", "--max-time", "5", ...args])).stdout;
}

async function metricsPort(server: RunningServer): Promise<number> {
  return Number((await server.event("metrics_listening"))["port"]);
}

for (const program of PROGRAM_NAMES) {
  describe(`the metrics port of the ${program}`, () => {
    test("serves /metrics to curl and promtool, and nothing else", async () => {
      const server = await fixture.start([...LOCAL, ...KEYS], { program });
      const client = fixture.connect({ port: server.port });
      await client.ping();
      const base = `http://127.0.0.1:${await metricsPort(server)}`;
      const accept = "Accept: application/openmetrics-text;version=1.0.0";
      const text = await curl("-H", accept, `${base}/metrics`);
      assert.match(text, /^keyless_requests\{opcode="OpPing"\} 1$/m);
      assert.match(text, /^process_resident_memory_bytes \d+$/m);
      assert.match(text, /^http_server_active_requests 1$/m);
      const { stderr, status } = spawnSync("promtool", ["check", "metrics"], { input: text });
      // names of the metrics page that promtool would have otherwise; 3 is "lint errors"
      assert.deepEqual([status, String(stderr)], [3, EXPECTED_LINT]);
      assert.match(await curl("-I", `${base}/metrics`), /^HTTP\/1\.1 200 OK\r\n/);
      for (const path of ["/", "/_status", "/metrics/", "/healthz", "/debug/pprof/"]) {
        const { status, body } = await codeOf(`${base}${path}`);
        assert.deepEqual([path, status, body], [path, 404, "only /metrics is served here\n"]);
      }
      assert.equal((await codeOf(`${base}/metrics`, "-X", "POST")).status, 405);
      client.close();
      assert.equal(await server.stop(), 0);
    });

    test("is there for IPv4 and IPv6 unless it is told otherwise", async () => {
      const server = await fixture.start([...LOCAL, ...KEYS, ...DEFAULT_BIND], { program });
      const port = await metricsPort(server);
      for (const host of ["127.0.0.1", "[::1]"]) {
        assert.match(await curl(`http://${host}:${port}/metrics`), /^keyless_requests\{/m);
      }
    });

    test("stops the start where another process has it", async () => {
      const first = await fixture.start([...LOCAL, ...KEYS], { program });
      const port = await metricsPort(first);
      const args = ["--metrics-port", `${port}`, "--metrics-bind", "127.0.0.1"];
      const second = fixture.launch([...LOCAL, ...KEYS, ...args], { program });
      assert.equal(await second.ended, 2);
      assert.match(
        second.stderr,
        new RegExp(
          `cannot listen on 127\\.0\\.0\\.1 port ${port}: another process listens there; .*` +
            "choose another --metrics-port, or --metrics-port off",
        ),
      );
      await first.kill();
    });

    test("is not opened when it is off", async () => {
      const server = await fixture.start([...LOCAL, ...KEYS, "--metrics-port", "off"], { program });
      assert.equal(await server.stop(), 0);
      assert.equal(server.lines.some(({ event }) => event === "metrics_listening"), false);
    });
  });
}

test("the metrics port of serve --dev is on loopback alone", async () => {
  const dev = ["--dev", "--dev-dir", fixture.directory.at("dev"), "--port", "0"];
  const server = await fixture.start([...dev, ...DEFAULT_BIND]);
  const { address } = await server.event("metrics_listening");
  assert.match(String(address), /^127\.0\.0\.1:\d+$/);
});

async function codeOf(
  url: string,
  ...args: readonly string[]
): Promise<{ readonly status: number; readonly body: string }> {
  const text = await curl("-w", "%{http_code}", ...args, url);
  return { status: Number(text.slice(-3)), body: text.slice(0, -3) };
}

const EXPECTED_LINT = [
  'keyless_failed_connection counter metrics should have "_total" suffix\n',
  'keyless_requests counter metrics should have "_total" suffix\n',
].join("");
