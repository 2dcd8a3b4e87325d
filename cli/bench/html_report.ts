import { createHash } from "node:crypto";
import uplotScript from "uplot/dist/uPlot.iife.min.js" with { type: "text" };
import uplotStyle from "uplot/dist/uPlot.min.css" with { type: "text" };
import type { MeasuredRun } from "../../src/bench/measured_run.ts";
import type { Verdict } from "../../src/bench/threshold.ts";
import { Html, html } from "../../src/status/html.ts";
import { STYLE } from "../../src/status/page_style.ts";
import { formatJson } from "../output.ts";
import { plotData } from "./html_plot_data.ts";
import plotScript from "./html_plots.js" with { type: "text" };
import {
  barsSections,
  failuresSection,
  headSection,
  latencySection,
  setUpSection,
  verdictsSection,
} from "./html_sections.ts";

/**
 * A run as one HTML page with plots: it holds all that it needs, asks for nothing, and runs the two
 * scripts whose hashes it names. Every name in it is escaped.
 */
export function htmlReport(run: MeasuredRun, verdicts: readonly Verdict[]): string {
  const targets = run.result.targets.join(", ");
  const page = html`
    <!DOCTYPE html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <meta http-equiv="Content-Security-Policy" content="${CONTENT_SECURITY_POLICY}">
        <title>keyless bench ${targets}</title>
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <style>${new Html(REPORT_STYLE)}</style>
      </head>
      <body>
        ${headSection(run)}
        <main>
          ${verdictsSection(verdicts)}
          ${PLOTS.map(({ id, title, caption }) => plotSection(id, title, caption))}
          ${latencySection(run)}
          ${barsSections(run)}
          ${failuresSection(run)}
          ${setUpSection(run)}
        </main>
        <script type="application/json" id="data">${new Html(jsonFor(run))}</script>
        <script>${new Html(uplotScript)}</script>
        <script>${new Html(plotScript)}</script>
      </body>
    </html>
  `;
  return `${page.markup.trimStart()}`;
}

const PLOTS = [
  {
    id: "rate",
    title: "Right answers a second",
    caption: "Errors are error replies, and requests that were lost or dropped.",
  },
  { id: "latency", title: "Latency over time", caption: "Of the right answers of each second." },
  {
    id: "percentiles",
    title: "Latency by percentile",
    caption: "Each step to the right is ten times rarer.",
  },
] as const;

function plotSection(id: string, title: string, caption: string): Html {
  return html`
    <section aria-labelledby="${id}-title">
      <h2 id="${id}-title">${title}</h2>
      <p class="dim">${caption}</p>
      <div class="plot" id="${id}"></div>
    </section>
  `;
}

/** Nothing in it can end the element that it stands in. */
function jsonFor(run: MeasuredRun): string {
  return formatJson(plotData(run)).replaceAll("<", String.raw`\u003c`);
}

const REPORT_STYLE = `${uplotStyle}${STYLE}
.plot { min-height: 18rem; margin-top: .5rem; }
.u-legend { color: var(--text); }
.u-legend th, .u-legend td { padding: 0 .3rem; border: 0; }
.bar { width: 100%; min-width: 8rem; height: .8rem; display: block; fill: var(--accent); }
.bars td, .bars th { padding-top: .15rem; padding-bottom: .15rem; vertical-align: middle; }
.bars tr > * { border: 0 !important; font-weight: 400; }
@media print { section { break-inside: avoid; } }
`;

const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  `script-src ${[uplotScript, plotScript].map(sourceOf).join(" ")}`,
  `style-src ${sourceOf(REPORT_STYLE)}`,
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

function sourceOf(text: string): string {
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}
