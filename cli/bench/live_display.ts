import type { LiveSecond } from "../../src/bench/second_sum.ts";
import { countText } from "../../src/status/page_numbers.ts";
import { durationText, rateText } from "./quantities.ts";

/** Where it is shown: stderr. */
export interface DisplayStream {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

export interface LiveDisplay {
  /** Shows the second that has passed. */
  readonly update: (second: LiveSecond) => void;
  /** Takes the line away, before anything else is written. */
  readonly clear: () => void;
}

/**
 * How a run goes, on a terminal in one line that is written over; elsewhere nothing is written.
 *
 *     12 s of 30 s  51,234/s  p50 98 µs  p99 412 µs  0 errors  ▃▅▇█▇▇
 *
 * @param totalSeconds how long is to be measured; undefined where that is not known
 */
export function createLiveDisplay(stream: DisplayStream, totalSeconds?: number): LiveDisplay {
  const rates: number[] = [];
  let errors = 0;
  let isShown = false;
  return {
    update(second) {
      if (second.phase === "measure") errors += second.errors;
      rates.push(second.ratePerSecond);
      if (rates.length > MAX_RATES) rates.shift();
      if (stream.isTTY !== true) return;
      const line = lineOf(second, errors, totalSeconds);
      const room = (stream.columns || DEFAULT_COLUMNS) - 1; // a full line would wrap
      const bars = sparkline(rates).slice(-Math.max(1, room - line.length));
      stream.write(`\r${`${line}${bars}`.slice(0, room)}${ERASE_TO_END}`);
      isShown = true;
    },
    clear() {
      if (isShown) stream.write(`\r${ERASE_TO_END}`);
      isShown = false;
    },
  };
}

/** One character a number, as high as its share of the largest. */
export function sparkline(numbers: readonly number[]): string {
  const most = Math.max(...numbers);
  return numbers.map((number) => {
    const step = most === 0 ? 0 : Math.round(number / most * (STEPS.length - 1));
    return STEPS[step]!;
  }).join("");
}

const STEPS = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"] as const;
const MAX_RATES = 60;
const DEFAULT_COLUMNS = 80;
const ERASE_TO_END = "\u001b[K";

function lineOf(
  { phase, atSeconds, spanSeconds, answered, ratePerSecond, p50Ns, p99Ns }: LiveSecond,
  errors: number,
  totalSeconds: number | undefined,
): string {
  const of = totalSeconds === undefined ? "" : ` of ${Math.round(totalSeconds)} s`;
  const isTimed = phase === "measure" && answered > 0;
  const times = isTimed ? [`p50 ${durationText(p50Ns)}`, `p99 ${durationText(p99Ns)}`] : [];
  const parts = [
    phase === "warmup" ? "warm-up" : `${Math.round(atSeconds + spanSeconds)} s${of}`,
    rateText(ratePerSecond),
    ...times,
    `${countText(errors)} ${errors === 1 ? "error" : "errors"}`,
    "",
  ];
  return parts.join("  ");
}
