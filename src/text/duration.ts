import { KeylessError } from "../errors/errors.ts";
import { printable } from "../errors/printable.ts";

/**
 * Reads a duration: Go's grammar (`300ms`, `1.5h`, `2h45m`; ns, us, µs, ms, s, m, h) and `d` for
 * days of 24 hours. A bare number is seconds. What is finer than a nanosecond is dropped.
 *
 * Source of the grammar: https://pkg.go.dev/time#ParseDuration
 *
 * @param maxMs the longest that is accepted, in milliseconds
 * @returns milliseconds, with a fraction where the text has one
 * @throws KeylessError "CONFIG_VALUE" for other text, a negative duration, and one above `maxMs`
 */
export function parseDuration(text: string, maxMs: number = MAX_DURATION_MS): number {
  const shown = `duration "${printable(text, MAX_SHOWN)}"`;
  if (text.startsWith("-")) throw refuse(`${shown} is negative; leave the sign out`);
  const nanoseconds = text.length > MAX_TEXT_LENGTH ? undefined : readNanoseconds(text);
  if (nanoseconds === undefined) {
    throw refuse(
      `${shown} is none; write numbers with units (ns, us, ms, s, m, h, d), like 500ms or 1h30m, ` +
        "or a number of seconds",
    );
  }
  const milliseconds = Number(nanoseconds / NANOSECONDS_A_MILLISECOND) +
    Number(nanoseconds % NANOSECONDS_A_MILLISECOND) / 1e6;
  if (milliseconds > maxMs) {
    throw refuse(`${shown} is too long; the longest is ${formatDuration(maxMs)}`);
  }
  return milliseconds;
}

/**
 * Writes milliseconds in the same grammar, whole numbers of each unit: `1h30m`, `1s500ms`, `0s`.
 * `parseDuration` gives the same number again for every number that it has ever given.
 */
export function formatDuration(milliseconds: number): string {
  const whole = Math.trunc(milliseconds);
  const fraction = Math.round((milliseconds - whole) * 1e6);
  let left = BigInt(whole) * NANOSECONDS_A_MILLISECOND + BigInt(fraction);
  let text = "";
  for (const unit of WRITTEN_UNITS) {
    const count = left / UNITS[unit];
    if (count > 0n) text += `${count}${unit}`;
    left %= UNITS[unit];
  }
  return text === "" ? "0s" : text;
}

/** The longest that Go can hold: 2^63 − 1 nanoseconds, some 292 years. */
export const MAX_DURATION_MS = 9_223_372_036_854;

/** The longest that `setTimeout` waits, 24 days; a longer one would fire at once. */
export const MAX_TIMER_MS = 2_147_483_647;

function readNanoseconds(text: string): bigint | undefined {
  if (BARE_NUMBER.test(text)) return readNanoseconds(`${text}s`);
  if (!DURATION.test(text)) return undefined;
  let sum = 0n;
  for (const [, whole = "", fraction = "", unit = ""] of text.matchAll(TERM)) {
    const nanoseconds = UNITS[unit as Unit];
    sum += BigInt(whole) * nanoseconds;
    sum += BigInt(fraction) * nanoseconds / 10n ** BigInt(fraction.length);
  }
  return sum;
}

function refuse(message: string): KeylessError {
  return new KeylessError("CONFIG_VALUE", message);
}

const UNITS = {
  d: 86_400_000_000_000n,
  h: 3_600_000_000_000n,
  m: 60_000_000_000n,
  s: 1_000_000_000n,
  ms: 1_000_000n,
  us: 1_000n,
  "\u00b5s": 1_000n, // micro sign
  "\u03bcs": 1_000n, // Greek small letter mu
  ns: 1n,
} as const;

type Unit = keyof typeof UNITS;

const WRITTEN_UNITS = ["d", "h", "m", "s", "ms", "us", "ns"] as const;
const NANOSECONDS_A_MILLISECOND = 1_000_000n;

const BARE_NUMBER = /^(?:\d+(?:\.\d*)?|\.\d+)$/;
const DURATION = /^(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|\u00b5s|\u03bcs|ms|s|m|h|d))+$/;
const TERM = /(\d*)\.?(\d*)(ns|us|\u00b5s|\u03bcs|ms|s|m|h|d)/g;

const MAX_TEXT_LENGTH = 64;
const MAX_SHOWN = 80;
