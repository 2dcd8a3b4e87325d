import { type Scheme, SCHEME_NAMES } from "../crypto/scheme.ts";
import type { ErrorCode } from "../errors/table.ts";

/**
 * What travels between the main program and a session's thread: many requests or replies in one
 * frame, as two buffers.
 */
export interface Batch {
  /** A row for each: `SessionRequest` or `SessionReply` as numbers, the length of its bytes last. */
  readonly numbers: Float64Array;
  /** The bytes of all, end to end. */
  readonly bytes: Uint8Array;
}

export interface SessionRequest {
  /** The key's number: see `KeyHandles`. */
  readonly key: number;
  /** Of the key. */
  readonly bits: number;
  /** Fits the key. */
  readonly scheme: Scheme;
  readonly bytes: Uint8Array;
}

export interface SessionReply {
  readonly outcome: Outcome;
  /** What was made, or the error's message in UTF-8. */
  readonly bytes: Uint8Array;
}

/** A request or reply on its way. */
export type Numbered<Row> = Row & {
  /** Counts the session's requests, which are answered in order. */
  readonly id: number;
};

/** "made", or the error's code. */
export const OUTCOMES = [
  "made",
  "SIGN_REFUSED",
  "SIGN_FAILED",
  "HSM_BUSY",
  "HSM_FAILED",
  "ABORTED",
  "KEY_WITHDRAWN",
] as const satisfies readonly ("made" | ErrorCode)[];
export type Outcome = (typeof OUTCOMES)[number];

/** @param firstId of the first; the others follow */
export function encodeRequests(requests: readonly SessionRequest[], firstId: number): Batch {
  return packRows(requests, REQUEST_NUMBERS, ({ key, bits, scheme }, numbers, at) => {
    numbers[at] = firstId + at / REQUEST_NUMBERS;
    numbers[at + 1] = key;
    numbers[at + 2] = bits;
    numbers[at + 3] = SCHEME_NAMES.indexOf(scheme);
  });
}

export function decodeRequests(batch: Batch): readonly Numbered<SessionRequest>[] {
  return unpackRows(batch, REQUEST_NUMBERS, (numbers, at, bytes) => {
    const scheme = SCHEME_NAMES[numbers[at + 3]!]!;
    return { id: numbers[at]!, key: numbers[at + 1]!, bits: numbers[at + 2]!, scheme, bytes };
  });
}

export function encodeReplies(replies: readonly Numbered<SessionReply>[]): Batch {
  return packRows(replies, REPLY_NUMBERS, ({ id, outcome }, numbers, at) => {
    numbers[at] = id;
    numbers[at + 1] = OUTCOMES.indexOf(outcome);
  });
}

export function decodeReplies(batch: Batch): readonly Numbered<SessionReply>[] {
  return unpackRows(batch, REPLY_NUMBERS, (numbers, at, bytes) => {
    return { id: numbers[at]!, outcome: OUTCOMES[numbers[at + 1]!]!, bytes };
  });
}

/**
 * Packs rows: so many numbers of each, the length of its bytes last.
 *
 * @param write writes the numbers of a row but the last, from a place on
 */
export function packRows<Row extends { readonly bytes: Uint8Array }>(
  rows: readonly Row[],
  width: number,
  write: (row: Row, numbers: Float64Array, at: number) => void,
): Batch {
  const numbers = new Float64Array(rows.length * width);
  const bytes = new Uint8Array(rows.reduce((sum, row) => sum + row.bytes.length, 0));
  let bytesAt = 0;
  let at = 0;
  for (const row of rows) {
    write(row, numbers, at);
    numbers[at + width - 1] = row.bytes.length;
    bytes.set(row.bytes, bytesAt);
    bytesAt += row.bytes.length;
    at += width;
  }
  return { numbers, bytes };
}

/**
 * The rows that were packed. The bytes of a row are a copy: the batch may be large, and the row live
 * long.
 *
 * @param read makes a row of the numbers from a place on
 */
export function unpackRows<Row>(
  { numbers, bytes }: Batch,
  width: number,
  read: (numbers: Float64Array, at: number, bytes: Uint8Array) => Row,
): readonly Row[] {
  const rows: Row[] = [];
  let bytesAt = 0;
  for (let at = 0; at < numbers.length; at += width) {
    const end = bytesAt + numbers[at + width - 1]!;
    rows.push(read(numbers, at, bytes.slice(bytesAt, end)));
    bytesAt = end;
  }
  return rows;
}

const REQUEST_NUMBERS = 5;
const REPLY_NUMBERS = 3;
