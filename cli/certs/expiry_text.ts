import { formatTable, paint, type Style } from "../output.ts";
import { printable } from "../../src/errors/printable.ts";
import type { ExpiryEntry } from "./expiry_entries.ts";

/** What a certificate is called: by its common name, else by its first host name, else its serial. */
export function nameOf({ certificate, labels }: ExpiryEntry): string {
  const [hostname] = labels.hostnames.split(",");
  const name = labels.cn || hostname || printable(certificate.subject);
  return printable(name || `serial number ${labels.serial_no}`, MAX_NAME_LENGTH);
}

/** "in 3 days", "5 hours ago". */
export function whenText(leftMs: number): string {
  const [unit, unitMs] = UNITS.find(([, ms]) => Math.abs(leftMs) >= ms) ?? UNITS.at(-1)!;
  const count = Math.floor(Math.abs(leftMs) / unitMs);
  const span = `${count} ${unit}${count === 1 ? "" : "s"}`;
  return leftMs < 0 ? `${span} ago` : `in ${span}`;
}

/** Whole days, as many as are certain: 0 on the last, below on those after it. */
export function daysLeft({ value }: ExpiryEntry, nowMs: number): number {
  return Math.floor((value * 1_000 - nowMs) / DAY_MS);
}

/** A table for people, each line in its style where stdout is a terminal. */
export function expiryTable(
  entries: readonly ExpiryEntry[],
  nowMs: number,
  styleOf: (entry: ExpiryEntry) => Style,
): string {
  const rows = entries.map((entry) => [
    dateText(entry),
    String(daysLeft(entry, nowMs)),
    nameOf(entry),
    entry.labels.source,
  ]);
  const [headings = "", ...lines] = formatTable(HEADINGS, rows).split("\n");
  return [headings, ...lines.map((line, at) => paint(styleOf(entries[at]!), line))].join("\n");
}

const HEADINGS = ["EXPIRES", "DAYS LEFT", "NAME", "SOURCE"] as const;

/** "2026-01-31 12:00:00Z". */
function dateText({ certificate }: ExpiryEntry): string {
  return certificate.notAfter.toISOString().replace("T", " ").replace(/\.\d+Z$/, "Z");
}

const MAX_NAME_LENGTH = 128;
const DAY_MS = 86_400_000;
const UNITS: readonly (readonly [string, number])[] = [
  ["day", DAY_MS],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1_000],
];
