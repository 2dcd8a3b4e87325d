import type { MetricSnapshot } from "../telemetry/metrics/registry.ts";
import { type Html, html, type HtmlValue } from "./html.ts";
import { section, table } from "./page_layout.ts";
import { countText, samplesOf } from "./page_numbers.ts";
import type { StatusState } from "./status_report.ts";

/** The workers one by one, and what could not be carried out on signing threads. */
export function workersSection(state: StatusState, metrics: readonly MetricSnapshot[]): Html {
  const { perWorker } = state;
  return section("workers", "Workers", [
    perWorker.length === 0 ? html`<p class="dim">${caption(state)}</p>` : workerTable(state),
    shedTable(metrics),
  ]);
}

function workerTable(state: StatusState): Html {
  const ofSigning = (content: Html) => state.signing === undefined ? "" : content;
  const rows = state.perWorker.map(({ name, server, signing }) =>
    html`
      <tr>
        <th scope="row">${name}</th>
        <td class="number">${countText(server.handshaking + server.established)}</td>
        <td class="number">${countText(server.inFlight)}</td>
        ${ofSigning(html`<td class="number">${countText(signing?.waiting ?? 0)}</td>`)}
      </tr>
    `
  );
  const columns = html`
    <th scope="col">Worker</th>
    <th scope="col" class="number">Connections</th>
    <th scope="col" class="number">In flight</th>
    ${ofSigning(html`<th scope="col" class="number">Queued</th>`)}
  `;
  return table(caption(state), columns, rows);
}

function caption({ workers, restarts, perWorker }: StatusState): string {
  const silent = workers - perWorker.length;
  return `Running: ${countText(workers)}` +
    (silent > 0 ? `, of which ${countText(silent)} did not answer` : "") +
    `; died and replaced: ${countText(restarts)}`;
}

function shedTable(metrics: readonly MetricSnapshot[]): HtmlValue {
  const shed = samplesOf(metrics, "keyless_signing_shed_total").filter(({ value }) => value > 0);
  if (shed.length === 0) return "";
  const rows = shed.map(({ labels, value }) =>
    html`
      <tr>
        <th scope="row">${String(labels["reason"])}</th>
        <td class="number">${countText(value)}</td>
      </tr>
    `
  );
  const columns = html`
    <th scope="col">Reason</th>
    <th scope="col" class="number">Requests</th>
  `;
  return table("Requests for slow keys that were not carried out", columns, rows);
}
