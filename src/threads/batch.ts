import { type Scheme, SCHEMES } from "../crypto/scheme.ts";

/**
 * What travels between an event loop and a signing thread: many requests or replies in one message,
 * as two buffers, because objects are slow to copy.
 */
export interface Batch {
  /** A row for each: `ThreadRequest` or `ThreadReply` as numbers, the length of its bytes last. */
  readonly numbers: Float64Array;
  /** The bytes of all, end to end. */
  readonly bytes: Uint8Array;
}

export interface ThreadRequest {
  /** The address of an `EVP_PKEY`. */
  readonly address: number;
  /** Of the key. */
  readonly bits: number;
  /** Fits the key. */
  readonly scheme: Scheme;
  readonly bytes: Uint8Array;
}

/** Replies come in the order of the requests. */
export interface ThreadReply {
  readonly outcome: Outcome;
  /** What was made, or the error's message in UTF-8. */
  readonly bytes: Uint8Array;
}

/** "made", or the error's code. */
export const OUTCOMES = ["made", "SIGN_REFUSED", "SIGN_FAILED"] as const;
export type Outcome = (typeof OUTCOMES)[number];

export function encodeRequests(requests: readonly ThreadRequest[]): Batch {
  return encode(
    requests,
    ({ address, bits, scheme }) => [address, bits, SCHEME_NAMES.indexOf(scheme)],
  );
}

export function decodeRequests(batch: Batch): readonly ThreadRequest[] {
  return decode(batch, REQUEST_NUMBERS, ([address, bits, scheme], bytes) => {
    return { address: address!, bits: bits!, scheme: SCHEME_NAMES[scheme!]!, bytes };
  });
}

export function encodeReplies(replies: readonly ThreadReply[]): Batch {
  return encode(replies, ({ outcome }) => [OUTCOMES.indexOf(outcome)]);
}

export function decodeReplies(batch: Batch): readonly ThreadReply[] {
  return decode(batch, REPLY_NUMBERS, ([outcome], bytes) => {
    return { outcome: OUTCOMES[outcome!]!, bytes };
  });
}

function encode<Row extends { readonly bytes: Uint8Array }>(
  rows: readonly Row[],
  numbersOf: (row: Row) => readonly number[],
): Batch {
  const bytes = new Uint8Array(rows.reduce((sum, row) => sum + row.bytes.length, 0));
  let at = 0;
  const numbers = rows.flatMap((row) => {
    bytes.set(row.bytes, at);
    at += row.bytes.length;
    return [...numbersOf(row), row.bytes.length];
  });
  return { numbers: Float64Array.from(numbers), bytes };
}

/** The bytes of a row are a copy: the batch may be large, and the row live long. */
function decode<Row>(
  { numbers, bytes }: Batch,
  width: number,
  rowOf: (numbers: Float64Array, bytes: Uint8Array) => Row,
): readonly Row[] {
  const rows: Row[] = [];
  let at = 0;
  for (let start = 0; start < numbers.length; start += width) {
    const end = at + numbers[start + width - 1]!;
    rows.push(rowOf(numbers.subarray(start, start + width), bytes.slice(at, end)));
    at = end;
  }
  return rows;
}

const SCHEME_NAMES = Object.keys(SCHEMES) as Scheme[];
const REQUEST_NUMBERS = 4;
const REPLY_NUMBERS = 2;
