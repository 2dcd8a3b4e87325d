import type { Check } from "./types.ts";

type Format = (value: number) => string;

/** A figure that is told, and must reach nothing. */
export function told(what: string, value: number, format: Format = ratio): Check {
  return { what, figure: format(value), target: undefined, isReached: undefined };
}

export function atLeast(
  what: string,
  value: number,
  bound: number,
  format: Format = ratio,
): Check {
  const target = `at least ${format(bound)}`;
  return { what, figure: format(value), target, isReached: value >= bound };
}

export function atMost(what: string, value: number, bound: number, format: Format = ratio): Check {
  const target = `at most ${format(bound)}`;
  return { what, figure: format(value), target, isReached: value <= bound };
}

export function ratio(value: number): string {
  return value.toFixed(2);
}

export function perSecond(value: number): string {
  return `${value.toLocaleString("en-US", { maximumFractionDigits: value < 100 ? 1 : 0 })}/s`;
}

export function microseconds(value: number): string {
  const digits = value < 10 ? 2 : value < 100 ? 1 : 0;
  return `${value.toLocaleString("en-US", { maximumFractionDigits: digits })} µs`;
}

export function milliseconds(value: number): string {
  return `${Number(value.toPrecision(3))} ms`;
}

export function seconds(value: number): string {
  return `${value.toFixed(1)} s`;
}

export function megabytes(value: number): string {
  return `${value.toFixed(0)} MB`;
}
