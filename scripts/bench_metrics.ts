/**
 * What metrics cost a request. What a scrape costs: bench_scrape.ts. Run it on an idle machine.
 *
 *     bun scripts/bench_metrics.ts
 */
import { WIRE_ERRORS } from "../src/protocol/errors.ts";
import { RequestTimes } from "../src/telemetry/request_times.ts";
import { ServerMetrics } from "../src/telemetry/server_metrics.ts";

const REQUESTS = 5_000_000;
const ECDSA_P256_SHA256 = 0x15;

benchRequest();

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
