import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { DASHBOARD_FILE, dashboardJson } from "../../scripts/dashboard.ts";
import { metricNames, withoutVariables } from "../support/promql.ts";

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: {
    readonly h: number;
    readonly w: number;
    readonly x: number;
    readonly y: number;
  };
  readonly targets?: readonly { readonly refId: string; readonly expr: string }[];
  readonly fieldConfig?: {
    readonly defaults: { readonly unit?: string };
    readonly overrides: readonly unknown[];
  };
}

const text = readFileSync(DASHBOARD_FILE, "utf8");
const dashboard = JSON.parse(text);
const panels: readonly Panel[] = dashboard.panels;
const charts = panels.filter(({ type }) => type !== "row");

test("deploy/grafana/keyless.json is up to date: run `deno task docs` where this fails", () => {
  assert.equal(text, dashboardJson());
});

describe("the dashboard", () => {
  test("has panels below rows, each with an id of its own", () => {
    assert.ok(charts.length > 20);
    assert.equal(panels[0]?.type, "row");
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  });

  test("has titles of their own for all panels", () => {
    assert.equal(new Set(panels.map(({ title }) => title)).size, panels.length);
  });

  test("lays its panels side by side: none overlaps another, none leaves the grid", () => {
    const taken = new Map<string, string>();
    for (const { title, gridPos: { h, w, x, y } } of panels) {
      assert.ok(h > 0 && w > 0 && x >= 0 && x + w <= 24, title);
      for (let row = y; row < y + h; row++) {
        for (let column = x; column < x + w; column++) {
          const cell = `${column} ${row}`;
          assert.equal(taken.get(cell), undefined, `${title} lies on ${taken.get(cell)}`);
          taken.set(cell, title);
        }
      }
    }
  });

  test("says in every panel what it shows, in which unit", () => {
    for (const { title, description, fieldConfig } of charts) {
      assert.ok(description, title);
      assert.ok(fieldConfig?.defaults.unit ?? fieldConfig?.overrides[0], title);
    }
  });

  test("asks in every panel for something, of the chosen servers alone", () => {
    for (const { title, targets = [] } of charts) {
      assert.ok(targets.length > 0, title);
      assert.equal(new Set(targets.map(({ refId }) => refId)).size, targets.length, title);
      for (const { expr } of targets) {
        assert.ok(metricNames(expr).length > 0, expr);
        const names = metricNames(expr).length;
        const chosen = expr.split('job=~"$job",instance=~"$instance"').length - 1;
        assert.ok(chosen >= names, expr);
      }
    }
  });

  test("uses no variable that it does not have", () => {
    const names = dashboard.templating.list.map(({ name }: { name: string }) => name);
    assert.deepEqual(names, ["datasource", "job", "instance"]);
    for (const { targets = [] } of charts) {
      for (const { expr } of targets) assert.doesNotMatch(withoutVariables(expr), /\$/);
    }
    const sources = Array.from(text.matchAll(/"uid": "(.*)"/g), ([, uid]) => uid);
    assert.deepEqual([...new Set(sources)].sort(), ["${datasource}", "keyless"]);
  });
});
