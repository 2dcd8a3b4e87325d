import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { METRICS_PAGE, metricsPage } from "../../scripts/metrics_page.ts";
import { OPCODES } from "../../src/protocol/opcodes.ts";
import { HTTP_METRICS } from "../../src/status/http_metrics.ts";
import { BASE_METRICS } from "../../src/telemetry/metrics/base_table.ts";
import { METRICS } from "../../src/telemetry/metrics/table.ts";
import { HANDSHAKE_OUTCOMES, TIMEOUT_LIMITS } from "../../src/telemetry/server_metrics.ts";

test("docs/metrics.md is what the tables say: run `deno task docs` where this fails", () => {
  assert.equal(readFileSync(METRICS_PAGE, "utf8"), metricsPage());
});

test("the page has one row for every metric, and one for every value of a label", () => {
  const lines = metricsPage().split("\n");
  const first = [
    ...Object.keys({ ...METRICS, ...HTTP_METRICS, ...BASE_METRICS }),
    ...HANDSHAKE_OUTCOMES,
    ...TIMEOUT_LIMITS,
  ];
  for (const name of first) {
    assert.equal(lines.filter((line) => line.startsWith(`| \`${name}\` |`)).length, 1, name);
  }
  for (const { name, type } of OPCODES) {
    assert.ok(lines.some((l) => l.startsWith(`| ${type} |`) && l.includes(`\`${name}\``)), name);
  }
});
