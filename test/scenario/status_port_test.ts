import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { after, afterEach, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import { Profile } from "pprof-format";
import { Authority } from "../../src/pki/authority.ts";
import { cutConnection } from "../../src/runtime/socket.ts";
import { keyOf } from "../support/openssl.ts";
import { PROGRAM_NAMES, type RunningServer } from "../support/running_server.ts";
import { LOCAL, ServeFixture } from "../support/serve_fixture.ts";

const run = promisify(execFile);

let fixture: ServeFixture;
before(async () => {
  fixture = await ServeFixture.create();
  const { directory } = fixture;
  directory.write("p256.key", keyOf("P-256"));
  const rogue = await Authority.create("the authority");
  const { certificatePem, keyPem } = await rogue.issue({ commonName: "x", usages: ["client"] });
  directory.write("rogue.pem", certificatePem);
  directory.write("rogue-key.pem", keyPem);
});
after(() => fixture.remove());
afterEach(() => fixture.killServer());

const KEYS = ["--private-key-files", "p256.key"];
const SLOW = { timeout: 20_000 };
const POWERS = ["--enable-pprof", "--enable-shutdown"];

interface Answer {
  readonly status: number;
  readonly body: string;
}

async function curl(url: string, ...args: readonly string[]): Promise<Answer> {
  const { stdout } = await run(
    "curl",
    ["-sS", "--max-time", "10", "-w", "%{http_code}", ...args, url],
    { cwd: fixture.directory.path },
  );
  return { status: Number(stdout.slice(-3)), body: stdout.slice(0, -3) };
}

async function statusPort(server: RunningServer): Promise<number> {
  return Number((await server.event("status_listening"))["port"]);
}

function certificateOf(name: string): string[] {
  return ["--cert", `${name}.pem`, "--key", `${name}-key.pem`];
}

const CA = ["--cacert", "keyless_cacert.pem"];

for (const program of PROGRAM_NAMES) {
  describe(`the status port of the ${program}`, () => {
    test("is HTTPS with the server's certificate, and shows how the server is", async () => {
      const server = await fixture.start([...LOCAL, ...KEYS, "--status", "localhost:0"], {
        program,
      });
      const base = `https://localhost:${await statusPort(server)}`;
      const { status, body } = await curl(`${base}/_status`, ...CA);
      const { ok, message, listen_address, backend_status, keys } = JSON.parse(body);
      assert.deepEqual(
        [status, ok, message, listen_address, backend_status, keys],
        [200, true, "listening", `127.0.0.1:${server.port}`, "ok", { files: { "EC P-256": 1 } }],
      );
      const metrics = await curl(`${base}/_metrics/prometheus`, ...CA);
      assert.match(metrics.body, /^keyless_conn_open 0$/m);
      assert.match(metrics.body, /^keyless_requests\{opcode="OpPing"\} 0$/m);
      assert.match(metrics.body, /^http_server_requests_seconds_count\{.*uri="\/_status"\} 1$/m);
      const [first] = JSON.parse((await curl(`${base}/_metrics`, ...CA)).body);
      assert.deepEqual(Object.keys(first), ["timestamp", "metric", "value", "hostname"]);
      assert.equal((await curl(`${base}/healthz`, ...CA)).body, "ok\n");
      assert.equal((await curl(`${base}/readyz`, ...CA)).body, "ready\n");
      assert.match((await curl(base, ...CA)).body, /<h1>keyless<\/h1>/);
      for (const path of ["/_shutdown", "/debug/pprof/profile"]) {
        const { status, body } = await curl(`${base}${path}`, ...CA, "-X", "POST");
        assert.equal(status, 404);
        assert.match(body, /with --enable-/);
      }
      await assert.rejects(curl(`${base}/_status`), /SSL certificate problem/);
      assert.equal(await server.stop(), 0);
    });

    test("is plain HTTP on a UNIX socket of the user's alone, and removes it", async () => {
      const args = ["--status", `unix:${program}-status.sock`];
      const server = await fixture.start([...LOCAL, ...KEYS, ...args], { program });
      await server.event("status_listening");
      const path = fixture.directory.at(`${program}-status.sock`);
      assert.equal(statSync(path).mode & 0o777, 0o600);
      const { status, body } = await curl("http://localhost/readyz", "--unix-socket", path);
      assert.deepEqual([status, body], [200, "ready\n"]);
      assert.equal(await server.stop(), 0);
      assert.throws(() => statSync(path), /ENOENT/);
    });

    test("stops the server on a POST, says 503 meanwhile, and exits 0", SLOW, async () => {
      const args = ["--status", "http://127.0.0.1:0", ...POWERS];
      const server = await fixture.start([...LOCAL, ...KEYS, ...args], { program });
      const base = `http://127.0.0.1:${await statusPort(server)}`;
      const busy = await fixture.openRaw(server.port);
      await busy.fillWithUnreadReplies();
      assert.equal((await curl(`${base}/_shutdown`)).status, 405);
      const page = await curl(`${base}/_shutdown`, "-X", "POST", "-H", "Origin: http://evil");
      assert.equal(page.status, 403);
      const rebound = await curl(`${base}/_shutdown`, "-X", "POST", "-H", "Host: evil.example");
      assert.equal(rebound.status, 403);
      assert.equal((await curl(`${base}/readyz`)).status, 200);
      assert.equal((await curl(`${base}/_shutdown`, "-X", "POST")).status, 200);
      const { signal } = await server.event("stopping");
      assert.match(String(signal), /^POST \/_shutdown by (?:127\.0\.0\.1:\d+|unix:.+)$/);
      const { status, body } = await curl(`${base}/_status`);
      assert.deepEqual([status, JSON.parse(body).message], [503, "stopping"]);
      assert.match((await curl(`${base}/readyz`)).body, /the server is stopping/);
      assert.equal((await curl(`${base}/healthz`)).status, 200);
      assert.equal((await curl(`${base}/_shutdown`, "-X", "POST")).status, 200);
      cutConnection(busy.socket);
      assert.equal(await server.ended, 0);
    });

    test("gives a profile that readers of pprof's format open", SLOW, async () => {
      const args = ["--status", "http://127.0.0.1:0", ...POWERS];
      const server = await fixture.start([...LOCAL, ...KEYS, ...args], { program });
      const base = `http://127.0.0.1:${await statusPort(server)}/debug/pprof`;
      const client = fixture.connect({ port: server.port });
      let isTaken = false;
      const file = fixture.directory.at(`${program}.pb.gz`);
      const taking = curl(`${base}/profile?seconds=1`, "-o", file).finally(() => isTaken = true);
      while (!isTaken) await client.ping();
      client.close();
      assert.equal((await taking).status, 200);
      const profile = Profile.decode(new Uint8Array(gunzipSync(readFileSync(file))));
      assert.ok(profile.sample.length > 0);
      const { strings } = profile.stringTable;
      assert.ok(strings.includes("nanoseconds"));
      assert.ok(strings.some((name) => /answer|executed|#receive/.test(name)), strings.join());
      assert.match((await curl(`${base}/cmdline`)).body, /\0--enable-pprof\0--enable-shutdown/);
      assert.equal((await curl(`${base}/heap`)).status, 404);
    });

    test("stops at once though a profile is being taken", SLOW, async () => {
      const args = ["--status", "http://127.0.0.1:0", ...POWERS];
      const server = await fixture.start([...LOCAL, ...KEYS, ...args], { program });
      const base = `http://127.0.0.1:${await statusPort(server)}`;
      const taking = curl(`${base}/debug/pprof/profile?seconds=60`).catch(String);
      const isTaken = /^http_server_active_requests 2$/m; // and this one
      while (!isTaken.test((await curl(`${base}/_metrics/prometheus`)).body));
      assert.equal(await server.stop(), 0);
      assert.match(String(await taking), /curl: \(\d+\)/, "it gets nothing");
    });

    test("beyond loopback lets clients of the authority alone do what only they may", async () => {
      const args = ["--status", "0.0.0.0:0", ...POWERS];
      const server = await fixture.start([...LOCAL, ...KEYS, ...args], { program });
      const base = `https://localhost:${await statusPort(server)}`;
      const powers: readonly (readonly string[])[] = [
        [`${base}/debug/pprof/cmdline`],
        [`${base}/_shutdown`, "-X", "POST"],
      ];
      for (const [url = "", ...more] of powers) {
        const none = await curl(url, ...CA, ...more);
        assert.equal(none.status, 403);
        assert.match(none.body, /cloudflare_ca_cert has signed is needed: no certificate/);
        for (const name of ["rogue", "server"]) {
          const { status, body } = await curl(url, ...CA, ...more, ...certificateOf(name));
          assert.equal(status, 403);
          assert.match(body, /the certificate was not accepted/);
        }
      }
      assert.equal((await curl(`${base}/_status`, ...CA)).status, 200);
      for (const [url = "", ...more] of powers) {
        const { status } = await curl(url, ...CA, ...more, ...certificateOf("client"));
        assert.equal(status, 200, url);
      }
      assert.equal(await server.ended, 0);
    });
  });
}

describe("the status port refuses to start", () => {
  const refused: readonly [what: string, args: readonly string[], message: RegExp][] = [
    ["with an address that is none", ["--status", "6060"], /status is "6060"; give HOST:PORT/],
    [
      "in the open with what only an operator may do",
      ["--status", "http://0.0.0.0:0", "--enable-shutdown"],
      /plain HTTP that other machines reach/,
    ],
    [
      "on an address of another machine",
      ["--status", "http://192.0.2.1:0"],
      /cannot listen on 192\.0\.2\.1 port 0: .*name one of its own with --status/,
    ],
    [
      "on a socket in a directory that is not there",
      ["--status", "unix:/nowhere/status.sock"],
      /cannot listen on \/nowhere\/status\.sock: .*choose another --status/,
    ],
  ];
  for (const [what, args, message] of refused) {
    test(what, async () => {
      assert.match(await fixture.refusal([...KEYS, ...args]), message);
    });
  }

  test("where another process listens, and leaves nothing open", async () => {
    const first = await fixture.start([...LOCAL, ...KEYS, "--status", "http://127.0.0.1:0"]);
    const port = await statusPort(first);
    const stderr = await fixture.refusal([...KEYS, "--status", `http://127.0.0.1:${port}`]);
    assert.match(stderr, /another process listens there; .*choose another --status/);
    await first.kill();
  });
});
