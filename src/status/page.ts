import { Buffer } from "node:buffer";
import type { MetricSnapshot } from "../telemetry/metrics/registry.ts";
import type { Problem } from "../telemetry/recent_problems.ts";
import type { SigningGauges } from "../telemetry/server_gauges.ts";
import { Html, html } from "./html.ts";
import { countText, secondsText, spanText, timeText } from "./page_numbers.ts";
import {
  certificatesSection,
  keysSection,
  operationsSection,
  problemsSection,
} from "./page_sections.ts";
import { tokensSection } from "./page_tokens.ts";
import { workersSection } from "./page_workers.ts";
import { CONTENT_SECURITY_POLICY, STYLE } from "./page_style.ts";
import type { HttpReply } from "./route.ts";
import { type StatusFacts, statusReport, type StatusState, whyNotReady } from "./status_report.ts";

/**
 * The page for a person: what state the server is in, what is slow, which keys it has, whose
 * certificates end soon, what went wrong last. It needs nothing but itself, and runs nothing.
 */
export function statusPage(
  facts: StatusFacts,
  state: StatusState,
  metrics: readonly MetricSnapshot[],
  problems: readonly Problem[],
  nowMs = Date.now(),
): HttpReply {
  const page = html`
    <!DOCTYPE html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <title>keyless on ${facts.hostname}</title>
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <style>${new Html(STYLE)}</style>
      </head>
      <body>
        ${head(facts, state, nowMs)}
        <main>
          ${nowSection(state)}
          ${workersSection(state, metrics)}
          ${operationsSection(metrics)}
          ${certificatesSection(metrics, nowMs)}
          ${keysSection(state.stores)}
          ${tokensSection(state.tokens)}
          ${problemsSection(problems)}
        </main>
        <footer>
          For machines: <a href="/_status">status</a>,
          <a href="/_metrics/prometheus">metrics</a>, <a href="/readyz">readiness</a>.
          As of ${timeText(nowMs)}; times are UTC.
        </footer>
      </body>
    </html>
  `;
  return {
    status: 200,
    type: "text/html; charset=utf-8",
    body: Buffer.from(page.markup.trimStart()),
    headers: {
      "Content-Security-Policy": CONTENT_SECURITY_POLICY,
      "Referrer-Policy": "no-referrer",
    },
  };
}

function head(facts: StatusFacts, state: StatusState, nowMs: number): Html {
  const report = statusReport(facts, state, nowMs);
  const why = whyNotReady(state);
  const pill = report.draining
    ? html`<span class="pill warn">stopping</span>`
    : why === undefined
    ? html`<span class="pill good">listening</span>`
    : html`<span class="pill bad">critical: ${why}</span>`;
  return html`<header>
<h1>keyless</h1> ${pill}
<span>up ${spanText(report.uptime_seconds)}</span>
<p>${facts.version} on ${facts.runtime} · ${facts.hostname} · ${report.listen_address}</p>
</header>`;
}

function nowSection({ gauges, signing }: StatusState): Html {
  const open = gauges.handshaking + gauges.established;
  return html`
    <section aria-labelledby="now">
      <h2 id="now">Now</h2>
      <dl>
        <div>
          <dt>Requests in flight</dt>
          <dd>${countText(gauges.inFlight)}${age(gauges.oldestInFlightMs)}</dd>
        </div>
        <div>
          <dt>Waiting for a slot</dt>
          <dd>${countText(gauges.waiting)}${age(gauges.oldestWaitingMs)}</dd>
        </div>
        <div>
          <dt>Connections</dt>
          <dd>${countText(open)}<small>of ${countText(gauges.maxConnections)};
    ${countText(gauges.handshaking)} in their handshake</small></dd>
        </div>
        <div>
          <dt>Unread replies</dt>
          <dd>${countText(Math.ceil(gauges.unsentBytes / 1_024))} KiB</dd>
        </div>
        ${signing === undefined ? "" : signingItems(signing)}
      </dl>
    </section>
  `;
}

function signingItems({ waiting, oldestMs, busy, threads }: SigningGauges): Html {
  return html`
    <div>
      <dt>Queued for signing</dt>
      <dd>${countText(waiting)}${age(oldestMs)}</dd>
    </div>
    <div>
      <dt>Signing threads busy</dt>
      <dd>${countText(busy)}<small>of ${countText(threads)}</small></dd>
    </div>
  `;
}

function age(ms: number): Html | "" {
  return ms > 0 ? html`<small>oldest ${secondsText(ms / 1_000)}</small>` : "";
}
