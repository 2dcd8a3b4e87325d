/** One panel of the dashboard. */
export interface Panel {
  readonly kind: "stat" | "graph" | "table";
  readonly title: string;
  /** What a reader should make of it. */
  readonly description: string;
  /** Grafana's name of the unit. */
  readonly unit: string;
  /** Of 24 columns. */
  readonly width: number;
  /** `$here` stands for the matchers of the chosen servers. */
  readonly queries: readonly (readonly [expression: string, legend: string])[];
  /** From which value on which colour; below the first it is green. */
  readonly thresholds?: readonly (readonly [from: number, colour: Colour])[];
  /** The colour below the first threshold, where it is not green. */
  readonly below?: Colour;
  /** Of a table: its columns in their order, by label; "Value" is the query's value. */
  readonly columns?: Readonly<Record<string, string>>;
}

type Colour = "green" | "orange" | "red";

/** Panels under one heading. */
export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

/** The histogram of requests until their response is made. */
export const EXEC = "keyless_request_exec_duration_per_opcode";
/** The same until the response is written. */
export const TOTAL = "keyless_request_total_duration_per_opcode";

/** Over as long as the panel's resolution needs, and never shorter than four scrapes. */
export const RATE = "[$__rate_interval]";

/** A quantile of a histogram's rate, in the histogram's unit. */
export function quantile(q: number, labels: string, buckets: string): string {
  return `histogram_quantile(${q}, sum by (${labels}) (rate(${buckets}${RATE})))`;
}
