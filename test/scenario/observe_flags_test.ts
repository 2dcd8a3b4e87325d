/** Each flag of metrics and profiles, on the executable: what an operator sees of it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { Profile } from "pprof-format";
import { KeylessClient } from "../../src/mod.ts";
import { Authority } from "../../src/pki/authority.ts";
import { certify } from "../support/certificates.ts";
import { runExecutable } from "../support/cli.ts";
import { askHttp } from "../support/http_client.ts";
import { parseSamples, type Sample, sampleValue } from "../support/metrics.ts";
import { keyOf } from "../support/openssl.ts";
import { promtool, withoutPrometheus as skip } from "../support/prometheus.ts";
import type { RunningServer } from "../support/running_server.ts";
import { CLIENT_NAME, LOCAL, ServeFixture } from "../support/serve_fixture.ts";

const SLOW = { timeout: 20_000 };
const KEYS = ["--private-key-files", "p256.key"];
const EXPIRY = "certificate_expiration_timestamp_seconds";
const DROPPED = "keyless_peer_certificates_dropped_total";

let fixture: ServeFixture;

before(async () => {
  fixture = await ServeFixture.create();
  const { directory } = fixture;
  const key = directory.write("p256.key", keyOf("P-256"));
  const other = await Authority.create("other authority");
  const { certificatePem, keyPem } = await other.issue({ commonName: "two", usages: ["client"] });
  directory.write("two.pem", certificatePem);
  directory.write("two-key.pem", keyPem);
  // two of the same labels among the authorities, the one that ends first in front
  const twins = ["100", "200"].map((days) =>
    certify(directory, key, { subject: "/CN=twin", options: ["-set_serial", "7", "-days", days] })
  );
  const authorities = [readFileSync(directory.at("keyless_cacert.pem")), ...twins];
  const text = authorities.map((pem) => new TextDecoder().decode(pem)).join("");
  directory.write("keyless_cacert.pem", text + other.certificatePem);
});
after(() => fixture.remove());

async function scrapeOf({ metricsPort }: RunningServer): Promise<string> {
  return (await askHttp({ port: metricsPort }, "GET /metrics")).body;
}

async function statusPort(server: RunningServer): Promise<number> {
  return Number((await server.event("status_listening"))["port"]);
}

/** The names of the clients whose certificates a scrape shows. */
function peersOf(samples: readonly Sample[]): string[] {
  return samples.filter(({ labels }) => labels["source"]?.startsWith("listener: "))
    .map(({ labels }) => labels["cn"] ?? "");
}

async function pingAs(name: string, server: RunningServer): Promise<void> {
  const read = (file: string) => readFileSync(fixture.directory.at(file));
  const client = new KeylessClient({
    ...{ host: "127.0.0.1", port: server.port, serverName: "localhost" },
    ...{ certificate: read(`${name}.pem`), key: read(`${name}-key.pem`) },
    ca: read("keyless_cacert.pem"),
  });
  await client.ping();
  client.close();
}

describe("a server with flags", () => {
  let server: RunningServer;
  before(async () => {
    server = await fixture.start([
      ...[...LOCAL, ...KEYS, "--max-peer-certificates", "1", "--metrics-prefix", "a.b-c"],
      ...["--status", "http://127.0.0.1:0", "--enable-pprof", "--enable-heap-profile"],
    ]);
    for (const name of ["client", "two"]) await pingAs(name, server);
  });
  after(() => fixture.killServer());

  test("--max-peer-certificates 1 shows the client that came last, and counts the other", async () => {
    const samples = parseSamples(await scrapeOf(server));
    assert.deepEqual(peersOf(samples), ["two"]);
    assert.equal(sampleValue(samples, DROPPED), 1);
    await pingAs("client", server);
    const [name] = peersOf(parseSamples(await scrapeOf(server)));
    assert.equal(name, CLIENT_NAME.replace("\u001b", "\\u{1b}"));
  });

  test("--metrics-prefix begins the names of the status port's own metrics", async () => {
    const port = await statusPort(server);
    const { body } = await askHttp({ port }, "GET /_metrics/json");
    const names: string[] = JSON.parse(body).map(({ metric }: { metric: string }) => metric);
    assert.ok(names.includes("a.b-c.conn.open"), names.join());
    assert.deepEqual(names.filter((name) => !name.startsWith("a.b-c.")), []);
    const text = (await askHttp({ port }, "GET /_metrics/prometheus")).body;
    assert.match(text, /^a_b_c_conn_open \d+$/m);
    assert.doesNotMatch(text, /^keyless_conn_open/m);
  });

  test("--enable-heap-profile beside --enable-pprof gives a profile", SLOW, async () => {
    const port = await statusPort(server);
    const { status, bytes } = await askHttp({ port }, "GET /debug/pprof/heap");
    assert.equal(status, 200);
    const { sample } = Profile.decode(new Uint8Array(gunzipSync(bytes)));
    assert.ok(sample.length > 0);
  });

  test("certs expiry prints the series of the server's files line for line", SLOW, async () => {
    const { path } = fixture.directory;
    const files = ["server.pem", "keyless_cacert.pem"];
    const { code, stdout } = await runExecutable(["certs", "expiry", ...files], { cwd: path });
    assert.equal(code, 0);
    const linesOf = (text: string) => text.split("\n").filter((line) => line.includes(EXPIRY));
    const exposed = linesOf(await scrapeOf(server))
      .filter((line) => !line.includes('source="listener: '));
    assert.deepEqual(linesOf(stdout), exposed);
    const named = exposed.map((line) => /cn="([^"]*)"/.exec(line)?.[1]).filter(Boolean);
    assert.deepEqual(named, ["server", "the authority", "twin", "other authority"]);
    fixture.directory.write("auth.yaml", `auth_cert: ${files[0]}\ncloudflare_ca_cert: ${files[1]}`);
    const configured = await runExecutable(["certs", "expiry", "-c", "auth.yaml"], { cwd: path });
    assert.equal(configured.stdout, stdout);
  });

  test("--textfile of the executable passes promtool", { ...SLOW, skip }, async () => {
    const { path } = fixture.directory;
    const args = ["certs", "expiry", "keyless_cacert.pem", "--textfile", "certs.prom"];
    const { code, stdout, stderr } = await runExecutable(args, { cwd: path });
    assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: "", stderr: "" });
    const input = readFileSync(fixture.directory.at("certs.prom"), "utf8");
    assert.equal(parseSamples(input).length, 4);
    assert.deepEqual(promtool(["check", "metrics"], { input }), { code: 0, output: "" });
  });

  test("?format=openmetrics is OpenMetrics, which ends in EOF", async () => {
    const target = { port: server.metricsPort };
    const { headers, body } = await askHttp(target, "GET /metrics?format=openmetrics");
    assert.match(headers["content-type"] ?? "", /^application\/openmetrics-text; ?version=1\.0\.0/);
    assert.match(body, /^keyless_requests_total\{opcode="OpPing"\} \d+$/m);
    assert.ok(body.endsWith("\n# EOF\n"));
  });
});

describe("a server with flags that leave something out", () => {
  after(() => fixture.killServer());

  test("--max-peer-certificates 0 shows no client, and counts none as dropped", async () => {
    const server = await fixture.start([...LOCAL, ...KEYS, "--max-peer-certificates", "0"]);
    await pingAs("client", server);
    const samples = parseSamples(await scrapeOf(server));
    assert.deepEqual(peersOf(samples), []);
    assert.equal(sampleValue(samples, DROPPED), 0);
    assert.equal(sampleValue(samples, "keyless_requests", { opcode: "OpPing" }), 1);
    await server.kill();
  });

  test("--enable-heap-profile without --enable-pprof is warned of", async () => {
    const args = ["--status", "http://127.0.0.1:0", "--enable-heap-profile"];
    const server = await fixture.start([...LOCAL, ...KEYS, ...args]);
    const port = await statusPort(server);
    assert.equal((await askHttp({ port }, "GET /debug/pprof/heap")).status, 404);
    const warning = server.lines.find(({ msg }) => /enable_heap_profile .*enable_pprof/.test(msg));
    assert.equal(warning?.level, "warn");
  });
});
