import assert from "node:assert/strict";
import { test } from "node:test";
import { statusPage } from "../../src/status/page.ts";
import { statusReport } from "../../src/status/status_report.ts";
import type { TokenGauges } from "../../src/telemetry/hsm_gauges.ts";
import { MainMetrics } from "../../src/telemetry/main_metrics.ts";
import { sampleValue, scrape } from "../support/metrics.ts";
import { FACTS, STATE } from "../support/status_fixture.ts";

const UP: TokenGauges = {
  token: "prod",
  serial: "0123",
  isUp: true,
  why: undefined,
  sessions: 3,
  inUse: 2,
  largest: 3,
  maxSessions: 15,
  waiting: 7,
  oldestMs: 1_500,
  exhausted: 4,
  errors: { CKR_FUNCTION_FAILED: 1, CKR_DEVICE_REMOVED: 2 },
};
const AWAY: TokenGauges = { ...UP, serial: "4567", isUp: false, why: "<b>gone</b>", errors: {} };
const state = { ...STATE, tokens: [UP, AWAY] };

function pageOf(shown: typeof STATE): string {
  return new TextDecoder().decode(statusPage(FACTS, shown, [], []).body);
}

test("the page shows tokens, what they have to do and why one is away, as text", () => {
  const page = pageOf(state).replace(/\s+/g, " ");
  assert.match(page, /prod <small>0123<\/small>.*pill good">up.*2<small> of 3, at most 15/);
  assert.match(page, /CKR_DEVICE_REMOVED 2, CKR_FUNCTION_FAILED 1/);
  assert.match(page, /pill bad">away<\/span> <small>&lt;b&gt;gone/);
});

test("the page has no such section where no key is in a token", () => {
  assert.doesNotMatch(pageOf(STATE), /PKCS#11/);
});

test("the report has tokens, where there are any", () => {
  assert.equal(statusReport(FACTS, STATE).hsm, undefined);
  const [up, away] = statusReport(FACTS, state).hsm!;
  assert.deepEqual(up, {
    token: "prod",
    serial: "0123",
    state: "up",
    sessions: 3,
    sessions_in_use: 2,
    sessions_largest: 3,
    sessions_limit: 15,
    waiting: 7,
    oldest_seconds: 1.5,
    exhausted: 4,
    errors: { CKR_FUNCTION_FAILED: 1, CKR_DEVICE_REMOVED: 2 },
  });
  assert.equal(away!.state, "away");
  assert.equal(away!.error, "<b>gone</b>");
});

test("two tokens of one label have series of their own", async () => {
  const metrics = new MainMetrics();
  const modules = [{ path: "/lib/p11.so", deaths: 2 }];
  metrics.watchHsm(() => ({ tokens: [UP, AWAY], modules }));
  const samples = await scrape(metrics.registry.snapshot());
  const of = (name: string, serial: string, more = {}) =>
    sampleValue(samples, name, { token: "prod", serial, ...more });
  assert.equal(of("keyless_hsm_token_up", "0123"), 1);
  assert.equal(of("keyless_hsm_token_up", "4567"), 0);
  assert.equal(of("keyless_hsm_requests_waiting_oldest_seconds", "0123"), 1.5);
  assert.equal(of("keyless_hsm_errors_total", "0123", { error: "CKR_DEVICE_REMOVED" }), 2);
  const deaths = sampleValue(samples, "keyless_hsm_process_deaths_total", {
    module: "/lib/p11.so",
  });
  assert.equal(deaths, 2);
});
