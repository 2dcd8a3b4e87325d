import { printable } from "../errors/printable.ts";
import type { MetricSnapshot } from "../telemetry/metrics/registry.ts";
import type { Problem } from "../telemetry/recent_problems.ts";
import type { StoreGauges } from "../telemetry/main_metrics.ts";
import { type Html, html, type HtmlValue } from "./html.ts";
import { section, table } from "./page_layout.ts";
import { countText, quantile, samplesOf, secondsText, timeText } from "./page_numbers.ts";
import { type Operation, operationsOf } from "./page_operations.ts";

/** What is slow, and what fails, by the type of operation. */
export function operationsSection(metrics: readonly MetricSnapshot[]): Html {
  const operations = operationsOf(metrics);
  const time = (q: number, buckets: ReadonlyMap<number, number>) => {
    const seconds = quantile(q, buckets);
    if (seconds === undefined) return "–";
    return seconds === Infinity ? `> ${secondsText(largestBound(buckets))}` : secondsText(seconds);
  };
  const rows = operations.map(({ type, requests, errors, buckets }) =>
    html`
      <tr>
        <th scope="row">${type}</th>
        <td class="number">${countText(requests)}</td>
        <td class="number">${errorCount(errors, requests)}</td>
        <td class="number">${time(0.5, buckets)}</td>
        <td class="number">${time(0.99, buckets)}</td>
      </tr>
    `
  );
  const columns = html`
    <th scope="col">Type</th>
    <th scope="col" class="number">Requests</th>
    <th scope="col" class="number">Errors</th>
    <th scope="col" class="number">Median</th>
    <th scope="col" class="number">99 %</th>
  `;
  return section(
    "operations",
    "Operations",
    rows.length === 0 ? html`<p class="dim">No request has been answered yet.</p>` : [
      table("Since the start; times without queues, estimated from a histogram", columns, rows),
      failureTable(operations),
    ],
  );
}

/** What requests failed with, the most frequent first. */
function failureTable(operations: readonly Operation[]): HtmlValue {
  const failures = operations
    .flatMap(({ type, byError }) => byError.map(([error, count]) => ({ type, error, count })))
    .toSorted((a, b) => b.count - a.count);
  if (failures.length === 0) return "";
  const rows = failures.slice(0, MAX_FAILURES).map(({ type, error, count }) =>
    html`
      <tr>
        <th scope="row">${error}</th>
        <td>${type}</td>
        <td class="number">${countText(count)}</td>
      </tr>
    `
  );
  const more = failures.length - rows.length;
  const caption = "Requests that were answered with an error, the most frequent first" +
    (more > 0 ? `; rarer ones left out: ${more}` : "");
  const columns = html`
    <th scope="col">Error</th>
    <th scope="col">Type</th>
    <th scope="col" class="number">Requests</th>
  `;
  return table(caption, columns, rows);
}

/** Certificates by the days that are left. */
export function certificatesSection(metrics: readonly MetricSnapshot[], nowMs: number): Html {
  const certificates = samplesOf(metrics, "certificate_expiration_timestamp_seconds")
    .toSorted((a, b) => a.value - b.value);
  const rows = certificates.slice(0, MAX_CERTIFICATES).map(({ labels, value }) => {
    const { cn = "", hostnames = "", source = "", serial_no: serial = "" } = labels;
    const days = Math.floor((value * 1_000 - nowMs) / DAY_MS);
    return html`
      <tr>
        <td class="number">${daysLeft(days)}</td>
        <td class="when">${timeText(value * 1_000).slice(0, 10)}</td>
        <th scope="row" class="name">
          ${printable(String(cn), MAX_NAME_LENGTH) || `serial ${serial}`}
          <small>${firstOf(String(hostnames))}</small> <small>${source}</small>
        </th>
      </tr>
    `;
  });
  const more = certificates.length - rows.length;
  const caption =
    "Of this server's files and of the clients that it met, the soonest to end first" +
    (more > 0 ? `; ${countText(more)} more end later` : "");
  const columns = html`
    <th scope="col" class="number">Days left</th>
    <th scope="col">Ends</th>
    <th scope="col">Name, host names and source</th>
  `;
  return section("certificates", "Certificates", table(caption, columns, rows));
}

/** Keys by store and kind. */
export function keysSection(stores: readonly StoreGauges[]): Html {
  const rows = stores.flatMap(({ store, keys, failures }) => [
    ...Object.entries(keys).map(([kind, count]) =>
      html`
        <tr>
          <th scope="row">${kind}</th>
          <td>${store}</td>
          <td class="number">${countText(count)}</td>
        </tr>
      `
    ),
    ...failures === 0 ? [] : [
      html`
        <tr>
          <th scope="row"><span class="pill warn">left out</span></th>
          <td>${store}</td>
          <td class="number">${countText(failures)}</td>
        </tr>
      `,
    ],
  ]);
  const columns = html`
    <th scope="col">Kind</th>
    <th scope="col">Store</th>
    <th scope="col" class="number">Keys</th>
  `;
  return section(
    "keys",
    "Private keys",
    rows.length === 0
      ? html`<p class="dim">None is loaded.</p>`
      : table("Served, by kind", columns, rows),
  );
}

/** The last warnings and errors. */
export function problemsSection(problems: readonly Problem[]): Html {
  const rows = problems.map(({ timeMs, level, event, message, details }) =>
    html`
      <tr>
        <td class="when">${timeCell(timeMs)}</td>
        <td><span class="pill ${level === "error" ? "bad" : "warn"}">${level}</span></td>
        <th scope="row" class="name">${message} <small>${[event, ...details].join(
          " · ",
        )}</small></th>
      </tr>
    `
  );
  const columns = html`
    <th scope="col">Time</th>
    <th scope="col">Level</th>
    <th scope="col">What</th>
  `;
  return section(
    "problems",
    "Last problems",
    rows.length === 0
      ? html`<p class="dim">No warning and no error since the start.</p>`
      : table("Warnings and errors of the log, the newest first", columns, rows),
  );
}

function errorCount(errors: number, requests: number): HtmlValue {
  if (errors === 0) return "0";
  const percent = Number((errors / requests * 100).toPrecision(2));
  return html`<span class="pill bad">${countText(errors)}</span> <small>${percent} %</small>`;
}

function daysLeft(days: number): Html {
  if (days < 0) return html`<span class="pill bad">ended</span>`;
  const tone = days < CRITICAL_DAYS ? "bad" : days < WARN_DAYS ? "warn" : "good";
  return html`<span class="pill ${tone}">${countText(days)}</span>`;
}

function firstOf(hostnames: string): string {
  const names = hostnames.split(",");
  const left = names.length - MAX_HOST_NAMES;
  const shown = names.slice(0, MAX_HOST_NAMES).join(", ");
  return left > 0 ? `${shown} and ${left} more` : shown;
}

function timeCell(unixMs: number): Html {
  const [date = "", time = ""] = timeText(unixMs).split(" ");
  return html`${date} <small>${time}</small>`;
}

function largestBound(buckets: ReadonlyMap<number, number>): number {
  return Math.max(...[...buckets.keys()].filter(Number.isFinite));
}

const DAY_MS = 86_400_000;
const CRITICAL_DAYS = 7;
const WARN_DAYS = 30;
const MAX_CERTIFICATES = 50;
const MAX_NAME_LENGTH = 128;
const MAX_FAILURES = 10;
const MAX_HOST_NAMES = 5;
