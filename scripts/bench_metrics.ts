/**
 * What metrics cost: a request's share, and a scrape of a server that knows 1,000 clients'
 * certificates beside one that signs without a pause. Run it on an idle machine.
 *
 *     bun scripts/bench_metrics.ts
 */
import { Buffer } from "node:buffer";
import { createHash, X509Certificate } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import { WIRE_ERRORS } from "../src/protocol/errors.ts";
import { Authority } from "../src/pki/authority.ts";
import { renderMetrics } from "../src/telemetry/metrics/registry.ts";
import { RequestTimes } from "../src/telemetry/request_times.ts";
import { ServerMetrics } from "../src/telemetry/server_metrics.ts";

const REQUESTS = 5_000_000;
const PEERS = 1_000;
const SCRAPES = 20;
const ECDSA_P256_SHA256 = 0x15;

benchRequest();
await benchScrape();

function benchRequest(): void {
  const metrics = new ServerMetrics();
  const run = (count: number) => {
    for (let i = 0; i < count; i++) {
      const times = new RequestTimes(0, performance.now());
      metrics.received(ECDSA_P256_SHA256);
      times.lookupStartedMs = performance.now();
      times.lookupEndedMs = performance.now();
      times.answeredMs = performance.now();
      metrics.executed(times, ECDSA_P256_SHA256, WIRE_ERRORS.NONE);
      metrics.replied(times, ECDSA_P256_SHA256, WIRE_ERRORS.NONE, performance.now());
    }
  };
  run(REQUESTS / 10);
  const begun = performance.now();
  run(REQUESTS);
  const nanoseconds = (performance.now() - begun) / REQUESTS * 1e6;
  console.log(`metrics of one request: ${nanoseconds.toFixed(0)} ns`);
}

async function benchScrape(): Promise<void> {
  const metrics = new ServerMetrics({ maxPeerCertificates: PEERS });
  const authority = await Authority.create("bench");
  for (let i = 0; i < PEERS; i++) {
    const names = Array.from({ length: 5 }, (_, n) => `edge-${i}-${n}.example.com`);
    const { certificatePem } = await authority.issue({
      commonName: `edge ${i}`,
      usages: ["client"],
      names,
    });
    metrics.certificates.seen(new X509Certificate(certificatePem).raw, "[::]:2407");
  }
  const scrapes: number[] = [];
  const turns: number[] = [];
  let bytes = 0;
  let done = false;
  const scraping = (async () => {
    for (let i = 0; i < SCRAPES; i++) {
      const begun = performance.now();
      bytes = Buffer.byteLength(await renderMetrics(metrics.registry.snapshot()));
      scrapes.push(performance.now() - begun);
    }
    done = true;
  })();
  while (!done) { // what signs beside it
    const begun = performance.now();
    await nextTurn();
    turns.push(performance.now() - begun);
    createHash("sha256").update("a short piece of work").digest();
  }
  await scraping;
  console.log(
    `scrape with ${PEERS} clients' certificates, ${bytes} bytes: first ${ms(scrapes[0])}, ` +
      `longest ${ms(Math.max(...scrapes))}; longest pause ${ms(Math.max(...turns))}`,
  );
}

function ms(value: number | undefined): string {
  return `${value?.toFixed(1)} ms`;
}
