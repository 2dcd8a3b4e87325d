/** What alerts, dashboard and pages ask for by name exists: values of labels here, series in scrapes. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "yaml";
import { WIRE_ERRORS } from "../../src/protocol/errors.ts";
import { OPCODES } from "../../src/protocol/opcodes.ts";
import { HANDSHAKE_OUTCOMES } from "../../src/telemetry/server_metrics.ts";
import { DEPLOY } from "../support/prometheus.ts";
import { metricNames } from "../support/promql.ts";

const VALUES: Readonly<Record<string, readonly string[]>> = {
  error: Object.values(WIRE_ERRORS).map(({ text }) => text),
  outcome: HANDSHAKE_OUTCOMES,
  type: [...OPCODES.map(({ type }) => type), "unknown"],
};

const FILES = [
  "prometheus/alerts.yaml",
  "prometheus/alerts_test.yaml",
  "grafana/keyless.json",
  "../docs/metrics.md",
  "../docs/runbook.md",
];

for (const file of FILES) {
  test(`every value of a label in ${file} is one of its table`, () => {
    const text = readFileSync(`${DEPLOY}../${file}`, "utf8").replaceAll('\\"', '"');
    const matchers = [...text.matchAll(/\b(error|outcome|type)(?:!?=|[!=]~)"([^"]*)"/g)];
    for (const [matcher, label = "", values = ""] of matchers) {
      for (const value of values.split("|")) assert.ok(VALUES[label]?.includes(value), matcher);
    }
    assert.ok(matchers.length > 0 || file.endsWith("runbook.md"));
  });
}

test("every error that a client can get belongs to one alert", () => {
  const groups: { rules: { expr: string }[] }[] = parse(
    readFileSync(`${DEPLOY}alerts.yaml`, "utf8"),
  ).groups;
  const alerted = groups.flatMap(({ rules }) => rules).flatMap(({ expr }) =>
    Array.from(expr.matchAll(/\berror=~?"([^"]*)"/g), ([, values = ""]) => values.split("|")).flat()
  );
  const errors = VALUES["error"]!.filter((text) => text !== WIRE_ERRORS.NONE.text);
  assert.deepEqual(alerted.toSorted(), errors.toSorted());
});

test("metricNames finds the series of an expression, and nothing else", () => {
  const found: readonly [expression: string, names: readonly string[]][] = [
    ["up", ["up"]],
    ['sum by (a_label) (rate(x_total{error="y_total"}[5m])) > 0.5', ["x_total"]],
    ["histogram_quantile(0.99, sum by (type, le) (rate(x_bucket[5m])))", ["x_bucket"]],
    ["a / on (job, instance) group_left b", ["a", "b"]],
    ["a unless b <= 2 * c offset 1h", ["a", "b", "c"]],
    ['max without (serial_no) (a{b=~"c: .*"}) - time() < 1e3', ["a"]],
    ["a - a", ["a"]],
    ["time()", []],
  ];
  for (const [expression, names] of found) assert.deepEqual(metricNames(expression), names);
});
