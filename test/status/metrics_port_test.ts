import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { metricsRoutes } from "../../src/status/metrics_port.ts";
import type { HttpReply } from "../../src/status/route.ts";
import type { MetricSnapshot } from "../../src/telemetry/metrics/registry.ts";
import { requestOf, routeOf } from "../support/status_fixture.ts";

const COUNTER: MetricSnapshot = {
  ...{ name: "keyless_requests", help: "Requests.", type: "counter", aggregator: "sum" },
  values: [{ labels: { opcode: "OpPing" }, value: 7 }],
};

const TEXT = "# HELP keyless_requests Requests.\n# TYPE keyless_requests counter\n" +
  'keyless_requests{opcode="OpPing"} 7\n';

async function scrape(
  query = "",
  headers: Readonly<Record<string, string>> = {},
): Promise<HttpReply & { readonly text: string }> {
  const routes = metricsRoutes(() => Promise.resolve([COUNTER]));
  const reply = await routeOf(routes, "/metrics").reply(requestOf(query, headers));
  return { ...reply, text: new TextDecoder().decode(reply.body) };
}

describe("/metrics", () => {
  test("is the text format 0.0.4, also for a client that would take OpenMetrics", async () => {
    const accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
    for (const headers of [{}, { accept }]) {
      const { status, type, text } = await scrape("", headers);
      assert.deepEqual([status, text], [200, TEXT]);
      assert.equal(type, "text/plain; version=0.0.4; charset=utf-8");
    }
  });

  test("is OpenMetrics when it is asked for by name", async () => {
    const { status, type, text } = await scrape("format=openmetrics");
    assert.equal(status, 200);
    assert.match(type, /^application\/openmetrics-text; version=1\.0\.0/);
    assert.match(text, /^keyless_requests_total\{opcode="OpPing"\} 7\n# EOF\n$/m);
  });

  test("knows no other format", async () => {
    assert.equal((await scrape("format=json")).status, 400);
  });

  test("is the one route of its port", () => {
    assert.deepEqual(metricsRoutes(() => Promise.resolve([])).map(({ path }) => path), [
      "/metrics",
    ]);
  });

  test("is made once for all who ask at the same time", async () => {
    let snapshots = 0;
    const [route] = metricsRoutes(() => {
      snapshots += 1;
      return Promise.resolve([COUNTER]);
    });
    const replies = await Promise.all(Array.from({ length: 50 }, () => route!.reply(requestOf())));
    assert.equal(snapshots, 1);
    assert.ok(replies.every(({ status }) => status === 200));
  });
});
