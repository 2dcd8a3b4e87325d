import { KeylessError } from "../errors/errors.ts";
import { quoted } from "../errors/printable.ts";
import { OPCODES, type OpcodeScheme } from "../protocol/opcodes.ts";

/** What a request asks for: a ping, or a private key's work by its scheme. */
export type OperationName = "ping" | OpcodeScheme;

export interface MixEntry {
  readonly name: OperationName;
  /** Its share of all requests, against the other weights. */
  readonly weight: number;
}

/** Every operation that can be asked for. */
export const OPERATION_NAMES: readonly OperationName[] = [
  "ping",
  ...OPCODES.flatMap((row) => "scheme" in row ? [row.scheme] : []),
];

/**
 * Reads `NAME[:WEIGHT],…`: "ping", "ecdsa-sha256:9,rsa-sha256:1". A weight is 1 where it is left out.
 *
 * @throws KeylessError "USAGE" for another name, one that stands twice, or another weight
 */
export function parseMix(text: string): MixEntry[] {
  const entries = text.split(",").map(parseEntry);
  for (const [at, { name }] of entries.entries()) {
    if (entries.findIndex((entry) => entry.name === name) === at) continue;
    throw new KeylessError("USAGE", `--op names ${name} twice; give it one weight`);
  }
  return entries;
}

/**
 * The order of one round, in which each entry has its share, as evenly spread as it goes (smooth
 * weighted round-robin): the same mix always gives the same order.
 *
 * @returns indexes into the entries
 */
export function mixOrder(entries: readonly MixEntry[]): number[] {
  const divisor = entries.map(({ weight }) => weight).reduce(greatestCommonDivisor);
  const weights = entries.map(({ weight }) => weight / divisor);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const credits = weights.map(() => 0);
  return Array.from({ length: total }, () => {
    for (const [at, weight] of weights.entries()) credits[at]! += weight;
    const next = credits.indexOf(Math.max(...credits));
    credits[next]! -= total;
    return next;
  });
}

export const MAX_WEIGHT = 1_000;

function parseEntry(text: string): MixEntry {
  const [name = "", weightText = "1", ...more] = text.split(":");
  if (!isOperationName(name)) {
    const known = OPERATION_NAMES.join(", ");
    throw new KeylessError("USAGE", `--op: ${quoted(name)} is no operation; give some of ${known}`);
  }
  const weight = /^[0-9]{1,4}$/.test(weightText) ? Number(weightText) : 0;
  if (weight >= 1 && weight <= MAX_WEIGHT && more.length === 0) return { name, weight };
  const given = quoted(text.slice(name.length + 1));
  throw new KeylessError(
    "USAGE",
    `--op: the weight of ${name} is ${given}; give a whole number from 1 to ${MAX_WEIGHT}`,
  );
}

function isOperationName(text: string): text is OperationName {
  return (OPERATION_NAMES as readonly string[]).includes(text);
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
