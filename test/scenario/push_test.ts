import assert from "node:assert/strict";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { after, afterEach, before, test } from "node:test";
import { Authority } from "../../src/pki/authority.ts";
import { runExecutable } from "../support/cli.ts";
import { PROGRAM_NAMES, RunningServer } from "../support/running_server.ts";
import { GraphiteSink, HttpSink, samplesOf } from "../support/sinks.ts";
import { makeTempDir, type TempDir } from "../support/temp_dir.ts";

const SLOW = { timeout: 30_000 };

let directory: TempDir;
let graphite: GraphiteSink;
let http: HttpSink;
let server: RunningServer | undefined;

before(() => {
  directory = makeTempDir();
});
after(() => directory.remove());
afterEach(async () => {
  await server?.kill();
  server = undefined;
  await graphite?.close();
  await http?.close();
});

test(
  "serve pushes what clients did to sinks that come back, and shows no password",
  SLOW,
  async () => {
    [graphite, http] = [new GraphiteSink(), new HttpSink()];
    for (const sink of [graphite, http]) {
      await sink.open(); // for a port
      await sink.close();
    }
    const dev = directory.at("dev");
    server = await RunningServer.start([
      ...["--dev", "--dev-dir", dev, "--port", "0", "--metrics-interval", "1s"],
      ...["--metrics-graphite", `127.0.0.1:${graphite.port}`],
      ...["--metrics-url", `http://me:secret@127.0.0.1:${http.port}/x?token=secret`],
    ]);
    await lineOf(server, "metrics_push_failed", "graphite");
    await lineOf(server, "metrics_push_failed", "url");
    await graphite.open();
    await http.open();
    await lineOf(server, "metrics_push_recovered", "graphite");
    await lineOf(server, "metrics_push_recovered", "url");
    await ping(dev, server.port);
    assert.equal(await server.stop(), 0);

    const lines = graphite.items.at(-1)!;
    assert.equal(valueOf(lines, "accept.success.count"), 1, "the last push");
    assert.equal(valueOf(lines, "request.total.count"), 3);
    assert.ok(valueOf(lines, "conn.handshake.max") > 0);
    assert.ok(valueOf(lines, "key.count.value") > 0);
    const post = http.items.at(-1)!;
    const total = samplesOf(post).find(({ metric }) => metric === "keyless.request.total");
    assert.equal(total?.value, 3);
    assert.equal(post.headers["authorization"], `Basic ${btoa("me:secret")}`);
    assert.equal(server.lines.filter(({ event }) => /metrics_push/.test(event)).length, 4);
    assert.doesNotMatch(server.stderr + server.stdout, /secret/);
  },
);

for (const program of PROGRAM_NAMES) {
  test(`the ${program} trusts the system's authorities when it pushes to https`, SLOW, async () => {
    const authority = await Authority.create("the system's");
    const names = ["localhost"];
    const own = await authority.issue({ commonName: "sink", usages: ["server"], names });
    const sink = createHttpsServer({ cert: own.certificatePem, key: own.keyPem });
    const posted = new Promise<string>((resolve) => {
      sink.on("request", (request, response) => {
        request.resume();
        response.end();
        resolve(`${request.method} ${request.url}`);
      });
    });
    await new Promise<void>((resolve) => sink.listen(0, "127.0.0.1", resolve));
    const { port } = sink.address() as AddressInfo;
    server = await RunningServer.start([
      ...["--dev", "--dev-dir", directory.at("dev"), "--port", "0"],
      ...["--metrics-url", `https://localhost:${port}/in`],
    ], {
      program,
      env: { SSL_CERT_FILE: directory.write("ca.pem", authority.certificatePem) },
    });
    assert.equal(await posted, "POST /in");
    assert.equal(await server.stop(), 0);
    assert.deepEqual(server.lines.filter(({ event }) => /metrics_push/.test(event)), []);
    await new Promise((resolve) => sink.close(resolve));
  });
}

test("serve ends in time though a sink does not answer", SLOW, async () => {
  [graphite, http] = [new GraphiteSink(), new HttpSink()];
  graphite.manner = http.manner = "silent";
  await graphite.open();
  await http.open();
  server = await RunningServer.start([
    ...["--dev", "--dev-dir", directory.at("dev"), "--port", "0"],
    ...["--metrics-graphite", `localhost:${graphite.port}`],
    ...["--metrics-url", `http://localhost:${http.port}`],
  ]);
  await graphite.until(() => graphite.connections > 0);
  await http.until(() => http.items.length > 0);
  const begunMs = performance.now();
  assert.equal(await server.stop(), 0);
  assert.ok(performance.now() - begunMs < 5_000);
});

test("config check finds a wrong address of the push, and where it stands", async () => {
  const file = directory.write("gokeyless.yaml", "metrics_graphite: graphite\nmetrics_url: x@y\n");
  const { code, stderr } = await runExecutable(["config", "check", "--config-file", file]);
  assert.equal(code, 2);
  assert.match(stderr, /gokeyless\.yaml:1:19: metrics_graphite is "graphite"; give HOST:PORT/);
  assert.match(stderr, /gokeyless\.yaml:2:14: metrics_url is not usable; give a URL/);
});

/** Three requests over one connection. */
async function ping(dev: string, port: number): Promise<void> {
  const args = ["ping", "--dev", "--dev-dir", dev, "-c", "3", "-i", "1ms", `127.0.0.1:${port}`];
  const { code, stderr } = await runExecutable(args);
  assert.equal(code, 0, stderr);
}

/** The value of a name in Graphite's lines; NaN where it is not there. */
function valueOf(lines: string, name: string): number {
  const line = lines.split("\n").find((each) => each.startsWith(`keyless.${name} `));
  return Number(line?.split(" ")[1]);
}

function lineOf(running: RunningServer, event: string, sink: string) {
  return running.event(event, (line) => line["sink"] === sink);
}
