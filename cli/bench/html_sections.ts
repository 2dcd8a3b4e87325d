import type { Histogram } from "../../src/bench/histogram.ts";
import { latencyBars } from "../../src/bench/latency_bars.ts";
import { countsOf } from "../../src/bench/measure.ts";
import type { MeasuredRun } from "../../src/bench/measured_run.ts";
import type { BenchResult } from "../../src/bench/result.ts";
import type { Verdict } from "../../src/bench/threshold.ts";
import { formatDuration } from "../../src/text/duration.ts";
import { type Html, html, type HtmlValue } from "../../src/status/html.ts";
import { countText } from "../../src/status/page_numbers.ts";
import { durationText, rateText, shareText } from "./quantities.ts";
import { factLines, failureLines, LATENCY_HEADINGS, latencyRows, loadText } from "./summary.ts";
import { verdictText } from "./verdicts.ts";

/** What was asked, the figures that matter most, and what they cannot be trusted for. */
export function headSection(run: MeasuredRun): Html {
  const { result } = run;
  const { failed, answered, failedShare = 0 } = countsOf(result.totals);
  const latency = run.latencyOfAll();
  const at = (percentile: number) =>
    latency.totalCount === 0 ? "–" : durationText(latency.getValueAtPercentile(percentile));
  return html`
    <header>
      <h1>keyless bench</h1>
      <p>${loadText(result)}</p>
      <p>${result.started} · ${result.tool.version} on ${result.tool.runtime} ·
        ${result.tool.cores} × ${result.tool.cpuModel}, ${result.tool.platform}</p>
    </header>
    ${cautions(result)}
    <section aria-label="Figures">
      <dl>
        ${figure("Right answers", rateText(result.totals.ratePerSecond), countText(answered))}
        ${figure("Failed", shareText(failedShare), countText(failed))}
        ${figure("p50", at(50), "of all right answers")}
        ${figure("p99", at(99), `p99.9 ${at(99.9)}`)}
        ${figure("Longest", at(100), "")}
      </dl>
    </section>
  `;
}

/** Whether the thresholds hold; nothing where none was given. */
export function verdictsSection(verdicts: readonly Verdict[]): HtmlValue {
  if (verdicts.length === 0) return "";
  const rows = verdicts.map((verdict) => {
    const pill = verdict.holds
      ? html`<span class="pill good">holds</span>`
      : html`<span class="pill bad">broken</span>`;
    return html`
      <tr>
        <td>${pill}</td>
        <td class="name">${verdictText(verdict)}</td>
      </tr>
    `;
  });
  return section(
    "thresholds",
    "Thresholds",
    html`
      <table>
        <tbody>${rows}</tbody>
      </table>
    `,
  );
}

/** The table of the summary. */
export function latencySection(run: MeasuredRun): Html {
  const headings = LATENCY_HEADINGS.map((name) =>
    html`<th scope="col" class="number">${name}</th>`
  );
  const rows = latencyRows(run).map(([name = "", ...cells]) =>
    html`<tr>
      <th scope="row">${name}</th>
      ${cells.map((cell) => html`<td class="number">${cell}</td>`)}
    </tr>`
  );
  return section(
    "table",
    "Latency",
    html`
      <div class="scroll">
        <table>
          <thead>
            <tr><td></td>${headings}</tr>
          </thead>
          <tbody>${rows}</tbody>
        </table>
      </div>
    `,
  );
}

/** How latency is spread, for each operation. */
export function barsSections(run: MeasuredRun): readonly Html[] {
  return run.result.operations.flatMap((operation) => {
    const latency = run.latency(operation);
    if (latency.totalCount === 0) return [];
    const title = `How the latency of ${operation.name} is spread`;
    return [section(`bars-${operation.name}`, title, barsTable(latency))];
  });
}

/** What failed, and why; nothing where nothing did. */
export function failuresSection({ result }: MeasuredRun): HtmlValue {
  const lines = failureLines(result);
  return lines.length === 0 ? "" : section("failures", "Failures", list(lines));
}

/** How the run was made. */
export function setUpSection({ result }: MeasuredRun): Html {
  const mix = result.options.operations.map(({ name, weight, keys }) =>
    `${name}: weight ${weight}${keys === 0 ? "" : `, ${countText(keys)} keys`}`
  );
  return section("run", "The run", list([...mix, plannedText(result), ...factLines(result)]));
}

const MAX_BARS = 24;

function cautions({ endedEarly, client }: BenchResult): HtmlValue {
  const lines = [
    ...(endedEarly === null ? [] : [`Ended early: ${endedEarly}`]),
    ...(client.isBottleneck ? [`The client was the bottleneck: ${client.reason ?? ""}`] : []),
  ];
  return lines.map((line) => html`<section class="warn">${line}</section>`);
}

function figure(name: string, value: string, detail: string): Html {
  return html`
    <div>
      <dt>${name}</dt>
      <dd>${value}<small>${detail}</small></dd>
    </div>
  `;
}

function barsTable(latency: Histogram): Html {
  const bars = latencyBars(latency, MAX_BARS);
  const most = Math.max(...bars.map(({ count }) => count));
  const rows = bars.map(({ toNs, count }) =>
    html`
      <tr>
        <th scope="row" class="number">${durationText(toNs)}</th>
        <td>
          <svg class="bar" viewBox="0 0 1000 1" preserveAspectRatio="none" aria-hidden="true">
            <rect width="${Math.ceil(count / most * 1_000)}" height="1" />
          </svg>
        </td>
        <td class="number">${countText(count)}</td>
        <td class="number">${shareText(count / latency.totalCount)}</td>
      </tr>
    `
  );
  return html`
    <div class="scroll">
      <table class="bars">
        <thead>
          <tr>
            <th scope="col" class="number">up to</th>
            <td></td>
            <th scope="col" class="number">count</th>
            <th scope="col" class="number">share</th>
          </tr>
        </thead>
        <tbody>${rows}</tbody>
      </table>
    </div>
  `;
}

function list(lines: readonly string[]): Html {
  return html`<ul>${lines.map((line) => html`<li>${line}</li>`)}</ul>`;
}

function section(id: string, title: string, content: HtmlValue): Html {
  return html`<section aria-labelledby="${id}"><h2 id="${id}">${title}</h2>${content}</section>`;
}

/** "for 10s, warm-up 1s": as it was asked for. */
function plannedText({ options }: BenchResult): string {
  const { durationMs, requests, warmupMs, rampMs, timeoutMs } = options;
  const parts = [
    ...(durationMs === null ? [] : [`for ${formatDuration(durationMs)}`]),
    ...(requests === null ? [] : [`${countText(requests)} requests`]),
    ...(rampMs === 0 ? [] : [`ramp ${formatDuration(rampMs)}`]),
    ...(warmupMs === 0 ? [] : [`warm-up ${formatDuration(warmupMs)}`]),
    `timeout ${formatDuration(timeoutMs)}`,
  ];
  return parts.join(", ");
}
