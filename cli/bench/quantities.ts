import type { Unit } from "../../src/bench/measure.ts";
import { countText } from "../../src/status/page_numbers.ts";

/**
 * A quantity as people read it: "412.3 µs", "51,234/s", "0.12 %"; "–" where there is none. Durations
 * have a digit more than HdrHistogram is sure of: it tells them from a bound that they are beside.
 */
export function quantityText(value: number | undefined, unit: Unit): string {
  return value === undefined ? "–" : TEXTS[unit](value);
}

/** "85.3 µs", "1.21 ms", "3.4 s". */
export function durationText(nanoseconds: number, digits = 3): string {
  const rounded = Number(nanoseconds.toPrecision(digits));
  const [unit, size] = DURATION_UNITS.find(([, size]) => rounded >= size) ?? ["ns", 1];
  return `${Number((rounded / size).toPrecision(digits))} ${unit}`;
}

/** "51,234/s", "8.25/s". */
export function rateText(perSecond: number): string {
  return `${perSecond < 100 ? digits(perSecond) : countText(perSecond)}/s`;
}

/** Of a share, 0 to 1: "0.12 %". */
export function shareText(share: number): string {
  return `${digits(share * 100)} %`;
}

/** A change with its sign: "+10.2 %", or of shares, "+0.1 points". */
export function changeText(change: number | undefined, unit: Unit): string {
  if (change === undefined) return "–";
  const sign = change > 0 ? "+" : change < 0 ? "-" : "";
  const percents = digits(Math.abs(change) * 100);
  return `${sign}${percents} ${unit === "share" ? "points" : "%"}`;
}

const TEXTS: Readonly<Record<Unit, (value: number) => string>> = {
  "nanoseconds": (value) => durationText(value, 4),
  "per second": rateText,
  "count": countText,
  "share": shareText,
};

const DURATION_UNITS = [["s", 1e9], ["ms", 1e6], ["µs", 1e3]] as const;

/** Three of them, without an exponent. */
function digits(number: number): string {
  if (number >= 1_000) return countText(number);
  const rounded = Number(number.toPrecision(3));
  return rounded !== 0 && rounded < 1e-6 ? "0.000001" : String(rounded);
}
