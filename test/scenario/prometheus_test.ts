/**
 * A real Prometheus, configured as the example says, scrapes the executable: the queries of
 * docs/metrics.md, the alerts and the dashboard all find what they ask for.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { after, before, describe, test } from "node:test";
import { parse } from "yaml";
import { DASHBOARD_FILE } from "../../scripts/dashboard.ts";
import { METRICS_PAGE } from "../../scripts/metrics_page.ts";
import { describePublicKey } from "../../src/crypto/public_key.ts";
import { printable } from "../../src/errors/printable.ts";
import { HTTP_METRICS } from "../../src/status/http_metrics.ts";
import { METRICS } from "../../src/telemetry/metrics/table.ts";
import { blocksOf } from "../support/markdown.ts";
import { HsmServe } from "../support/hsm_serve.ts";
import { parseSamples } from "../support/metrics.ts";
import { keyOf, makeKey, publicKeyOf } from "../support/openssl.ts";
import {
  DEPLOY,
  polled,
  promtool,
  type QueriedSample,
  RunningPrometheus,
  withoutPrometheus,
} from "../support/prometheus.ts";
import { metricNames, withoutVariables } from "../support/promql.ts";
import type { RunningServer } from "../support/running_server.ts";
import { CLIENT_NAME, ServeFixture } from "../support/serve_fixture.ts";
import { makeSlowModule } from "../support/slow_module.ts";
import { makeSoftHsm } from "../support/softhsm.ts";

const skip = withoutPrometheus;
const DAY_MS = 86_400_000;
/** PKCS#11: what a token returns once, so that an error is counted. */
const CKR_DEVICE_ERROR = 0x30;
/** How long a query may take to find data. */
const PATIENCE_MS = 8_000;

const EXAMPLES = queriesOf("metrics.md");
/** What the runbook asks is answered with nothing where nothing is wrong. */
const RUNBOOK = queriesOf("runbook.md");
const ALERTS: readonly { readonly alert: string; readonly expr: string }[] = parse(
  readFileSync(`${DEPLOY}alerts.yaml`, "utf8"),
).groups.flatMap(({ rules }: { rules: unknown[] }) => rules);
const PANELS: readonly { readonly title: string; readonly targets: { readonly expr: string }[] }[] =
  JSON.parse(readFileSync(DASHBOARD_FILE, "utf8")).panels.filter(
    ({ type }: { type: string }) => type !== "row",
  );

let fixture: ServeFixture;
let serve: HsmServe;
let server: RunningServer;
let prometheus: RunningPrometheus;
const traffic = new AbortController();
let trafficEnded: Promise<void>;

before(async () => {
  if (skip) return;
  fixture = await ServeFixture.create({ notAfter: new Date(Date.now() + 20 * DAY_MS) });
  for (const kind of ["RSA 2048", "P-256", "Ed25519"] as const) {
    fixture.directory.write(`${kind}.key`, makeKey(kind));
  }
  const hsm = makeSoftHsm();
  hsm.addToken("prod");
  hsm.importKey("prod", keyOf("P-384"), { label: "P-384", id: "01" });
  const shim = makeSlowModule(hsm);
  serve = new HsmServe(fixture, hsm);
  server = await serve.start([`uri: ${serve.uri("token=prod", "", shim.path)}`, "dir: ."], [
    ...["--metrics-interval", "1s", "--metrics-graphite", "127.0.0.1:1"],
    ...["--metrics-port", "0", "--metrics-bind", "127.0.0.1"],
  ], { env: shim.env });
  await server.event("metrics_listening");
  await server.event("keys_proved");
  shim.fail(CKR_DEVICE_ERROR);
  trafficEnded = makeTraffic();
  prometheus = await RunningPrometheus.start(fixture.directory, exampleConfig());
}, { timeout: 20_000 });

after(async () => {
  if (skip) return;
  traffic.abort();
  await trafficEnded;
  await prometheus?.stop();
  await fixture.killServer();
  serve.remove();
}, { timeout: 20_000 });

function queriesOf(page: string): readonly string[] {
  const text = readFileSync(new URL(page, METRICS_PAGE), "utf8");
  return blocksOf(text, "promql").map((query) => query.trim());
}

/** What it reads is parsed and counted, and dropped: no query meets it. */
const OPENMETRICS_JOB = {
  job_name: "openmetrics",
  params: { format: ["openmetrics"] },
  metric_relabel_configs: [{ action: "drop", source_labels: ["__name__"], regex: ".*" }],
};

/** The example, with this server as its target, and often. */
function exampleConfig(): string {
  const config = parse(readFileSync(`${DEPLOY}prometheus.yaml`, "utf8"));
  config.global = { scrape_interval: "200ms", evaluation_interval: "500ms" };
  config.rule_files = [`${DEPLOY}alerts.yaml`];
  config.scrape_configs[0].static_configs[0].targets = [`127.0.0.1:${server.metricsPort}`];
  config.scrape_configs.push({ ...config.scrape_configs[0], ...OPENMETRICS_JOB });
  return JSON.stringify(config); // which is YAML
}

/** Some of everything, again and again: rates need two scrapes that differ. */
async function makeTraffic(): Promise<void> {
  const client = fixture.connect({ port: server.port });
  const digest = new Uint8Array(32);
  const ofToken = { ski: describePublicKey(publicKeyOf(keyOf("P-384"))).ski };
  const sign = (name: string, scheme: "rsa-pss-sha256" | "ecdsa-sha256" | "ed25519") =>
    client.sign({ ski: fixture.publicKey(`${name}.key`).ski }, scheme, digest);
  while (!traffic.signal.aborted) {
    await sign("RSA 2048", "rsa-pss-sha256");
    await sign("P-256", "ecdsa-sha256");
    await sign("Ed25519", "ed25519");
    await client.sign(ofToken, "ecdsa-sha256", digest);
    await client.ping();
    await assert.rejects(client.sign({ ski: new Uint8Array(20) }, "ed25519", digest));
    await breakConnection();
    await beRefused();
    await delay(50);
  }
  client.close();
}

/** An established connection that ends in the middle of a request. */
async function breakConnection(): Promise<void> {
  const client = await fixture.openRaw(server.port);
  client.socket.end(Uint8Array.of(1, 0, 0, 4));
  await client.closed;
}

/** A peer that does not speak TLS. */
async function beRefused(): Promise<void> {
  const socket = connect(server.port, "127.0.0.1");
  socket.on("error", () => {}).end("GET / HTTP/1.0\r\n\r\n").resume();
  await new Promise((resolve) => socket.once("close", resolve));
}

/** What a query gives once it gives numbers; at last, what it gave. */
function answer(query: string): Promise<QueriedSample[]> {
  return polled(() => prometheus.query(query), hasNumbers, PATIENCE_MS);
}

function hasNumbers(samples: readonly QueriedSample[]): boolean {
  return samples.some(({ value }) => !Number.isNaN(value));
}

function scrape(): Promise<string> {
  return fetch(`http://127.0.0.1:${server.metricsPort}/metrics`).then((reply) => reply.text());
}

describe("a real Prometheus", () => {
  test("scrapes the executable", { skip, timeout: 20_000 }, async () => {
    const areUp = (targets: readonly { readonly health: string }[]) =>
      targets.length > 0 && targets.every(({ health }) => health === "up");
    const targets = await polled(() => prometheus.targets(), areUp, PATIENCE_MS);
    const found = targets.map(({ health, lastError }) => [health, lastError]);
    assert.deepEqual(found, [["up", ""], ["up", ""]]); // of either format
  });

  test("keeps every sample that it is shown, each once", { skip, timeout: 20_000 }, async () => {
    const lines = parseSamples(await scrape());
    const series = new Set(lines.map(({ name, labels }) => JSON.stringify([name, labels])));
    assert.equal(series.size, lines.length);
    const kept = 'count({job="keyless",__name__!~"up|scrape_.*|ALERTS.*"})';
    assert.ok(hasNumbers(await answer(`${kept} == sum(scrape_samples_scraped{job="keyless"})`)));
  });

  test("takes the OpenMetrics form as well", { skip, timeout: 20_000 }, async () => {
    const scraped = (job: string) => `sum(scrape_samples_scraped{job="${job}"})`;
    const query = `up{job="openmetrics"} == 1 and on() ${scraped("openmetrics")} > 100`;
    assert.ok(hasNumbers(await answer(query)), JSON.stringify(await prometheus.targets()));
  });

  test("shows a client's certificate by a name that is safe to show", {
    skip,
    timeout: 20_000,
  }, async () => {
    const query = 'certificate_expiration_timestamp_seconds{source=~"listener: .*"}';
    const names = (await answer(query)).map(({ metric }) => metric["cn"]);
    assert.deepEqual(names, [printable(CLIENT_NAME)]);
  });

  for (const query of EXAMPLES) {
    test(
      `finds data for the example ${query.replaceAll(/\s+/g, " ")}`,
      { skip, timeout: 20_000 },
      async () => {
        assert.ok(hasNumbers(await answer(query)));
      },
    );
  }

  for (const query of RUNBOOK) {
    test(`understands the runbook's ${query}`, { skip, timeout: 20_000 }, async () => {
      assert.ok(await prometheus.query(query));
    });
  }

  test("was asked all queries that the pages have", () => {
    assert.ok(EXAMPLES.length >= 7);
    assert.ok(RUNBOOK.length > 0);
  });

  test("evaluates every alert without an error", { skip, timeout: 20_000 }, async () => {
    const evaluated = (rules: readonly { readonly health: string }[]) =>
      rules.every(({ health }) => health !== "unknown");
    const rules = await polled(() => prometheus.rules(), evaluated, PATIENCE_MS);
    assert.deepEqual(
      rules.map(({ name, health, lastError }) => [name, health, lastError]).sort(),
      ALERTS.map(({ alert }) => [alert, "ok", undefined]).sort(),
    );
  });

  test("finds the certificate of 20 days that an alert is about", {
    skip,
    timeout: 20_000,
  }, async () => {
    const [found] = await answer('ALERTS{alertname="KeylessCertificateExpiring"}');
    assert.deepEqual([found?.metric["cn"], found?.metric["alertstate"]], ["server", "pending"]);
  });

  for (const { title, targets } of PANELS) {
    test(`finds data for the panel ${title}`, { skip, timeout: 20_000 }, async () => {
      for (const { expr } of targets) {
        const query = withoutVariables(expr);
        assert.ok(hasNumbers(await answer(query)), query);
      }
    });
  }
});

describe("a scrape of the executable", () => {
  test("has every metric that alerts, dashboard and examples name", { skip }, async () => {
    const names = new Set(parseSamples(await scrape()).map(({ name }) => name));
    names.add("up"); // Prometheus's own
    const expressions = [
      ...ALERTS.map(({ expr }) => expr),
      ...EXAMPLES,
      ...RUNBOOK,
      ...PANELS.flatMap(({ targets }) => targets.map(({ expr }) => withoutVariables(expr))),
    ];
    for (const expression of expressions) {
      const read = metricNames(expression);
      assert.ok(read.length > 0, expression);
      assert.deepEqual(read.filter((name) => !names.has(name)), [], expression);
    }
  });

  test("has every metric of the tables, of its type", { skip }, async () => {
    const lines = (await scrape()).split("\n");
    for (const [name, { type }] of Object.entries({ ...METRICS, ...HTTP_METRICS })) {
      assert.equal(lines.filter((line) => line === `# TYPE ${name} ${type}`).length, 1, name);
    }
  });

  test("is what promtool wants, but for names that are older than its rules", {
    skip,
  }, async () => {
    const { output } = promtool(["check", "metrics"], { input: await scrape() });
    assert.deepEqual(output.trim().split("\n").sort(), [
      'keyless_failed_connection counter metrics should have "_total" suffix',
      'keyless_requests counter metrics should have "_total" suffix',
    ]);
  });
});
