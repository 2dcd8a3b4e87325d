import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { WIRE_ERRORS } from "../../src/protocol/errors.ts";
import { OPCODES } from "../../src/protocol/opcodes.ts";
import { statusPage } from "../../src/status/page.ts";
import type { MetricSnapshot } from "../../src/telemetry/metrics/registry.ts";
import { RequestTimes } from "../../src/telemetry/request_times.ts";
import type { Problem } from "../../src/telemetry/recent_problems.ts";
import { ServerMetrics } from "../../src/telemetry/server_metrics.ts";
import { certificateMetric, FACTS, STATE } from "../support/status_fixture.ts";

const NOW = FACTS.startedMs + 90_061_000;
const DAY = 86_400;

function page(options: {
  readonly state?: Partial<typeof STATE>;
  readonly metrics?: readonly MetricSnapshot[];
  readonly problems?: readonly Problem[];
} = {}): string {
  const { state = {}, metrics = [], problems = [] } = options;
  const { body } = statusPage(FACTS, { ...STATE, ...state }, metrics, problems, NOW);
  return new TextDecoder().decode(body);
}

/** The texts of a page, tags and runs of white space apart. */
function textOf(markup: string): string {
  return markup.replace(/<style>.*<\/style>/s, "").replace(/<[^>]*>/g, " ").replace(/\s+/g, " ");
}

function certificate(
  cn: string,
  days: number,
  hostnames = "",
): Parameters<typeof certificateMetric>[0][0] {
  const labels = { cn, hostnames, source: "server.pem", serial_no: "7" };
  return { labels, value: NOW / 1_000 + days * DAY + 1 };
}

describe("the page", () => {
  test("allows itself its own style and nothing else", () => {
    const { headers } = statusPage(FACTS, STATE, [], [], NOW);
    const style = /<style>(.*)<\/style>/s.exec(page())?.[1] ?? "";
    const hash = createHash("sha256").update(style).digest("base64");
    assert.equal(
      headers?.["Content-Security-Policy"],
      `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'; ` +
        "frame-ancestors 'none'",
    );
    assert.doesNotMatch(page(), /<script|<link|<img|style=|@import|url\(|http-equiv/);
  });

  test("says how the server is, and for how long", () => {
    assert.match(
      textOf(page()),
      /keyless listening up 1 d 1 h 1\.2\.3 on bun 9\.9\.9 · box-7 · 127/,
    );
    assert.match(textOf(page({ state: { isDraining: true } })), /keyless stopping up/);
    assert.match(
      textOf(page({ state: { stores: [] } })),
      /keyless critical: no keys are loaded up/,
    );
    assert.match(
      textOf(page({ state: { workers: 0, perWorker: [] } })),
      /keyless critical: no worker runs up/,
    );
  });

  test("says what waits, and for how long", () => {
    assert.match(
      textOf(page()),
      /Requests in flight 3 oldest 42 ms Waiting for a slot 0 Connections 3 of 10,000; 1 in /,
    );
    const gauges = { ...STATE.gauges, unsentBytes: 5_000_000 };
    assert.match(textOf(page({ state: { gauges } })), /Unread replies 4,883 KiB/);
  });

  test("says what is queued for signing threads, and how many of them are busy", () => {
    assert.match(
      textOf(page()),
      /Queued for signing 1,234 oldest 250 ms Signing threads busy 1 of 2/,
    );
    assert.doesNotMatch(
      textOf(page({ state: { signing: undefined } })),
      /[Ss]igning threads|Queued/,
    );
  });

  test("says of each worker what it has, and how many died or do not answer", () => {
    const text = textOf(page());
    assert.match(text, /Running: 2; died and replaced: 1 Worker/);
    assert.match(text, / worker 1 2 3 0 worker 2 1 0 0 /);
    const one = STATE.perWorker.slice(0, 1);
    const silent = textOf(page({ state: { perWorker: one, restarts: 0 } }));
    assert.match(silent, /Running: 2, of which 1 did not answer; died and replaced: 0 Worker/);
    assert.doesNotMatch(silent, /worker 2/);
  });

  test("says why requests were not carried out on signing threads, if any were not", () => {
    const metrics = new ServerMetrics();
    metrics.watchSigning(() => ({ ...STATE.signing!, shed: { full: 12_345, deadline: 0 } }));
    const text = textOf(page({ metrics: metrics.registry.snapshot() }));
    assert.match(text, /not carried out Reason Requests full 12,345 /);
    assert.doesNotMatch(text, /deadline/);
    assert.doesNotMatch(textOf(page()), /not carried out/);
  });

  test("says when that was", () => {
    assert.match(textOf(page()), /As of 2026-01-02 01:01:01; times are UTC/);
  });

  test("says of each type of operation how many, how many failed, and how long they take", () => {
    const metrics = new ServerMetrics();
    const { code } = OPCODES.find(({ name }) => name === "OpRSASignSHA256")!;
    for (let i = 0; i < 99; i++) {
      const times = new RequestTimes(0, 1_000);
      times.answeredMs = 1_000.3;
      metrics.executed(times, code, WIRE_ERRORS.NONE);
    }
    const slow = new RequestTimes(0, 1_000);
    slow.answeredMs = 9_000;
    metrics.executed(slow, code, WIRE_ERRORS.CRYPTOGRAPHY);
    const text = textOf(page({ metrics: metrics.registry.snapshot() }));
    assert.match(text, / rsa 100 1 1 % 300 µs 400 µs /);
    assert.match(text, / cryptography error rsa 1 /);
    assert.doesNotMatch(text, /left out/);
    assert.match(textOf(page()), /No request has been answered yet/);
  });

  test("shows the ten most frequent failures, and counts the others", () => {
    const metrics = new ServerMetrics();
    const errors = Object.values(WIRE_ERRORS).filter((error) => error !== WIRE_ERRORS.NONE);
    const opcodes = OPCODES.filter(({ name }) => /^Op(RSASignSHA256|ECDSASignSHA256)$/.test(name));
    for (const { code } of opcodes) {
      for (const [i, error] of errors.entries()) {
        for (let times = 0; times <= i; times++) {
          metrics.executed(new RequestTimes(0, 1_000), code, error);
        }
      }
    }
    const markup = page({ metrics: metrics.registry.snapshot() });
    const table = markup.slice(markup.indexOf("Requests that were answered with an error"));
    const rows = table.slice(0, table.indexOf("</table>")).split("<tr>").slice(2);
    assert.equal(rows.length, 10);
    assert.match(textOf(rows[0]!), new RegExp(`^ ${errors.at(-1)!.text} (rsa|ecdsa) \\d+ $`));
    assert.ok(textOf(table).includes(`; rarer ones left out: ${2 * errors.length - 10}`), table);
  });

  test("lists certificates by the days that are left", () => {
    const certificates = [
      certificate("late", 400),
      certificate("soon", 6),
      certificate("ended", -1),
    ];
    const markup = page({
      metrics: [certificateMetric([...certificates, certificate("warned", 29)])],
    });
    const text = textOf(markup);
    assert.match(
      text,
      / ended 20\S+ ended server\.pem 6 20\S+ soon .* 29 20\S+ warned .* 400 20\S+ late /,
    );
    assert.match(markup, /class="pill bad">6</);
    assert.match(markup, /class="pill warn">29</);
    assert.match(markup, /class="pill good">400</);
  });

  test("shows fifty certificates, and counts the others", () => {
    const many = Array.from({ length: 60 }, (_, i) => certificate(`client ${i}`, i));
    const text = textOf(page({ metrics: [certificateMetric(many)] }));
    assert.match(text, /10 more end later/);
    assert.match(text, /client 49 /);
    assert.doesNotMatch(text, /client 50 /);
  });

  test("cuts a name that is longer than a line", () => {
    const text = textOf(
      page({ metrics: [certificateMetric([certificate("n".repeat(1_000), 1)])] }),
    );
    assert.match(text, / n{127}… server\.pem /);
  });

  test("counts keys by kind, and those that were left out", () => {
    const stores = [{ ...STATE.stores[0]!, failures: 4 }];
    assert.match(
      textOf(page({ state: { stores } })),
      /RSA 2048 file 2 EC P-256 file 1 left out file 4/,
    );
    assert.match(textOf(page({ state: { stores: [] } })), /None is loaded/);
  });

  test("shows the last problems", () => {
    const problem: Problem = {
      ...{ timeMs: NOW, level: "error", event: "x", message: "it failed" },
      details: ["reason: why", "address: 127.0.0.1:1"],
    };
    assert.match(
      textOf(page({ problems: [problem] })),
      /2026-01-02 01:01:01 error it failed x · reason: why · address: 127\.0\.0\.1:1/,
    );
    assert.match(textOf(page()), /No warning and no error since the start/);
  });

  const hostile: readonly [what: string, name: string, shown: string][] = [
    ["a script", "<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"],
    ["a broken attribute", `"onmouseover="x`, "&quot;onmouseover=&quot;x"],
    ["an end of the table", "</td></table><h1>", "&lt;/td&gt;&lt;/table&gt;&lt;h1&gt;"],
    ["an entity", "&lt;b&gt;", "&amp;lt;b&amp;gt;"],
    ["a mark that turns text around", "\u202ecba", "\\u{202e}cba"],
    ["control characters", "a\u001b[2J\r\nb", "a\\u{1b}[2J\\u{d}\\u{a}b"],
  ];
  for (const [what, name, shown] of hostile) {
    test(`shows ${what} in a name as text`, () => {
      const metrics = [certificateMetric([certificate(name, 1, `${name},b`)])];
      const problem: Problem = {
        ...{ timeMs: NOW, level: "warn", event: "x", message: name, details: [`client: ${name}`] },
      };
      const markup = page({ metrics, problems: [problem] });
      assert.equal(markup.split(shown).length - 1, 4, "name, host names, message, details");
      assert.equal(markup.includes(name), false);
    });
  }
});
