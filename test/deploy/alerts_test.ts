import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { parse } from "yaml";
import { makeTempDir } from "../support/temp_dir.ts";
import { DEPLOY, promtool, withoutPrometheus } from "../support/prometheus.ts";

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

const skip = withoutPrometheus;
const ALERTS = readFileSync(`${DEPLOY}alerts.yaml`, "utf8");
const rules: readonly Rule[] = parse(ALERTS).groups.flatMap((group: { rules: Rule[] }) =>
  group.rules
);

describe("the alerts", () => {
  test("are accepted by Prometheus", { skip }, () => {
    const { code, output } = promtool(["check", "rules", "alerts.yaml"]);
    assert.equal(code, 0, output);
    assert.ok(output.includes(`${rules.length} rules found`), output);
  });

  test("fire when they should, and only then", { skip }, () => {
    const { code, output } = promtool(["test", "rules", "alerts_test.yaml"]);
    assert.equal(code, 0, output);
  });

  test("are missed by their tests, each of them, where they never fire", { skip }, () => {
    const directory = makeTempDir();
    directory.write("alerts_test.yaml", readFileSync(`${DEPLOY}alerts_test.yaml`));
    directory.write(
      "alerts.yaml",
      ALERTS.replaceAll(/^( +)expr: .*?(?=\n\1for:)/gms, "$1expr: vector(0) > 1"),
    );
    const { code, output } = promtool(["test", "rules", "alerts_test.yaml"], {
      cwd: directory.path,
    });
    directory.remove();
    assert.notEqual(code, 0);
    for (const { alert } of rules) {
      assert.match(output, new RegExp(`exp: .*\\{alertname="${alert}"`), alert);
    }
  });

  test("say each how long, how bad, what it is, and where to read on", () => {
    assert.ok(rules.length > 0);
    for (const { alert, for: held, labels, annotations } of rules) {
      assert.match(held, /^\d+m$/, alert);
      assert.match(labels["severity"] ?? "", /^(warning|critical)$/, alert);
      for (const key of ["summary", "description"]) assert.ok(annotations[key], `${alert} ${key}`);
      assert.equal(annotations["runbook"], `docs/runbook.md#${alert.toLowerCase()}`);
    }
  });

  test("have names of their own", () => {
    assert.equal(new Set(rules.map(({ alert }) => alert)).size, rules.length);
  });
});

test("the example configuration is accepted by Prometheus", { skip }, () => {
  const { code, output } = promtool(["check", "config", "prometheus.yaml"]);
  assert.equal(code, 0, output);
});

test("and so is the one for the status port, which stands in it as a comment", { skip }, () => {
  const config = readFileSync(`${DEPLOY}prometheus.yaml`, "utf8")
    .replace(/^ {2}- job_name: keyless #.*?\n\n/ms, "")
    .replaceAll(/^ {2}# (?=- job_name| {2})/gm, "  ");
  assert.equal(parse(config).scrape_configs[0].metrics_path, "/_metrics/prometheus");
  const directory = makeTempDir();
  directory.write("alerts.yaml", ALERTS);
  directory.write("prometheus.yaml", config);
  const { code, output } = promtool(["check", "config", "prometheus.yaml"], {
    cwd: directory.path,
  });
  directory.remove();
  assert.equal(code, 0, output);
});
