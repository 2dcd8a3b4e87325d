import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { type Behaviour, FakeCollector, valuesOf } from "../support/collector.ts";
import { runExecutable } from "../support/cli.ts";
import { makeKey } from "../support/openssl.ts";
import { type Program, PROGRAM_NAMES, RunningServer } from "../support/running_server.ts";
import { LOCAL, ServeFixture } from "../support/serve_fixture.ts";

const DIGEST = new Uint8Array(32).fill(9);
const SLOW = { timeout: 30_000 };
const QUIET = [...LOCAL, "--metrics-port", "off"];

let fixture: ServeFixture;
let collector: FakeCollector;

before(async () => {
  fixture = await ServeFixture.create();
  fixture.directory.write("p256.key", makeKey("P-256"));
  collector = await FakeCollector.start();
});

after(async () => {
  fixture.remove();
  await collector.stop();
});

afterEach(async () => {
  await fixture.killServer();
  collector.spans.length = 0;
});

for (const program of PROGRAM_NAMES) {
  describe(`serve --tracing-enabled of the ${program}`, () => {
    test("sends the trace of every request to the collector that it is told", async () => {
      const server = await fixture.start([
        ...[...QUIET, "--private-key-files", "p256.key", "--tracing-enabled"],
        ...["--tracing-address", `127.0.0.1:${collector.port}`, "--tracing-sample-rate", "1"],
      ], { program, env: { OTEL_EXPORTER_OTLP_HEADERS: "authorization=secret-token" } });
      const client = fixture.connect({ port: server.port });
      await client.ping();
      await client.sign({ ski: fixture.publicKey("p256.key").ski }, "ecdsa-sha256", DIGEST);
      client.close();
      assert.equal(await server.stop(), 0);
      const requests = collector.spans.filter(({ kind }) => kind === 2);
      assert.deepEqual(requests.map(({ name }) => name), ["OpPing", "OpECDSASignSHA256"]);
      const steps = collector.childrenOf(requests[1]!).map(({ name }) => name);
      assert.deepEqual(steps, ["queue", "key lookup", "sign", "write"]);
      assert.equal(valuesOf(requests[1]!)["keyless.client"], "edge\\u{1b}[31m-1");
      assert.equal(collector.exports.at(-1)?.headers["authorization"], "secret-token");
      assert.doesNotMatch(server.stderr, /secret-token/);
    });

    test("takes the keys of gokeyless.yaml, and samples nothing by default", async () => {
      const address = `http://127.0.0.1:${collector.port}`;
      fixture.directory.write(
        `${program}.yaml`,
        `private_key_stores:\n- file: p256.key\ntracing_enabled: true\ntracing_address: ${address}\n`,
      );
      const args = [...QUIET, "--config-file", `${program}.yaml`];
      const server = await fixture.start(args, { program });
      const { collector: shown, sampleRate } = await server.event("tracing");
      assert.deepEqual([shown, sampleRate], [`${address}/v1/traces`, 0]);
      const client = fixture.connect({ port: server.port });
      await client.ping();
      client.close();
      assert.equal(await server.stop(), 0);
      assert.deepEqual(collector.spans, []);
    });

    test("does not start with a collector that is none", async () => {
      const args = ["--tracing-enabled", "--tracing-address", "grpc://collector:4317"];
      const said = await fixture.refusal(args, { program });
      assert.match(said, /tracing_address.*grpc:\/\/collector:4317.*HOST:PORT/);
    });
  });
}

describe("serve --tracing-enabled, on every runtime,", () => {
  const SILENT = () => {};
  const HASTY: Behaviour = (response) => response.writeHead(503, { "retry-after": "0" }).end();
  let outcomes: Promise<readonly Outcome[]> | undefined;

  /** All at a time, because each waits a second for its collector at the end. */
  function allOutcomes(): Promise<readonly Outcome[]> {
    const kinds = { none: undefined, silent: SILENT, hasty: HASTY };
    return outcomes ??= Promise.all(
      Object.entries(kinds).flatMap(([kind, behaviour]) =>
        PROGRAM_NAMES.map((program) => outcomeOf(kind, behaviour, program))
      ),
    );
  }

  async function outcomeOf(
    kind: string,
    behaviour: Behaviour | undefined,
    program: Program,
  ): Promise<Outcome> {
    const bad = await FakeCollector.start();
    const { url } = bad;
    if (behaviour === undefined) await bad.stop();
    else bad.behaviour = behaviour;
    const server = await RunningServer.start([
      ...[...QUIET, "--private-key-files", "p256.key", "--tracing-enabled"],
      ...["--tracing-address", url, "--tracing-sample-rate", "1"],
    ], { program, cwd: fixture.directory.path });
    try {
      const client = fixture.connect({ port: server.port });
      for (let i = 0; i < 100; i++) await client.ping();
      client.close();
      const startMs = performance.now();
      const code = await server.stop();
      return { kind, program, code, tookMs: performance.now() - startMs, server };
    } finally {
      await server.kill();
      if (behaviour !== undefined) await bad.stop();
    }
  }

  async function outcomesOf(kind: string): Promise<readonly Outcome[]> {
    const found = (await allOutcomes()).filter((outcome) => outcome.kind === kind);
    assert.equal(found.length, PROGRAM_NAMES.length);
    return found;
  }

  test("ends in time, and well, whatever its collector does", SLOW, async () => {
    for (const { kind, program, code, tookMs } of await allOutcomes()) {
      assert.equal(code, 0, `${kind} ${program}`);
      assert.ok(tookMs < 4_000, `${kind} ${program}: ${tookMs} ms`);
    }
  });

  test(
    "says of a collector that is not there that spans are lost, once or twice",
    SLOW,
    async () => {
      for (const { server: { lines, stderr } } of await outcomesOf("none")) {
        const said = lines.filter(({ event }) => event.startsWith("traces_"));
        assert.ok(said.length >= 1 && said.length <= 2, stderr);
      }
    },
  );

  test("says of one that does not answer how many spans were lost at the end", SLOW, async () => {
    for (const { server: { lines, stderr } } of await outcomesOf("silent")) {
      assert.equal(lines.find(({ event }) => event === "traces_lost")?.["lost"], 300, stderr);
    }
  });

  test(
    "writes nothing but log lines, not even for one that wants all again at once",
    SLOW,
    async () => {
      for (const { server: { stderr } } of await allOutcomes()) {
        assert.deepEqual(stderr.split("\n").filter((line) => !/^(\{.*)?$/.test(line)), []);
      }
      for (const { server: { lines } } of await outcomesOf("hasty")) {
        const said = lines.find(({ event }) => event === "runtime_warning");
        assert.equal(said?.["name"], "TimeoutNegativeWarning");
      }
    },
  );
});

interface Outcome {
  readonly kind: string;
  readonly program: Program;
  readonly code: number | string;
  /** From the signal to the end. */
  readonly tookMs: number;
  readonly server: RunningServer;
}

test("serve --dev --tracing-enabled and ping --dev: a trace of the ping", async () => {
  const dev = fixture.directory.at("dev");
  const server = await RunningServer.start([
    ...["--dev", "--dev-dir", dev, "--port", "0", "--metrics-port", "off", "--tracing-enabled"],
    ...["--tracing-address", collector.url, "--tracing-sample-rate", "1"],
  ]);
  try {
    const to = `127.0.0.1:${server.port}`;
    const { code } = await runExecutable(["ping", "--dev", "--dev-dir", dev, "-c", "1", to]);
    assert.equal(code, 0);
    assert.equal(await server.stop(), 0);
    assert.ok(collector.spans.some(({ name }) => name === "OpPing"));
  } finally {
    await server.kill();
  }
});
