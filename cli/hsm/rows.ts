import { paint } from "../output.ts";

/** A label, and what stands behind it; printable. */
export type Row = readonly [label: string, text: string];

/** A title, and rows below it whose texts begin in one column. */
export function block(title: string, rows: readonly Row[]): string {
  const width = rows.reduce((widest, [label]) => Math.max(widest, label.length), 0);
  const lines = rows.map(([label, text]) => `    ${label.padEnd(width)}  ${text}`);
  return [`  ${paint("bold", title)}`, ...lines].join("\n");
}
