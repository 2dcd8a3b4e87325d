/** What workers and the main thread, which has the tokens, tell each other on the worker's channel. */
import { type Scheme, SCHEME_NAMES } from "../crypto/scheme.ts";
import { type Batch, OUTCOMES, packRows, unpackRows } from "./batch.ts";
import type { SessionReply } from "./batch.ts";

/** From a worker. */
export type HsmAsked =
  /** `HsmRequest`s. */
  | { readonly requests: Batch }
  /** A connection is gone: what waits for it is not wanted any more. */
  | { readonly gone: number };

/** To a worker: `HsmReply`s, in any order. */
export interface HsmAnswered {
  readonly replies: Batch;
}

/** How both stand among other messages of the channel. */
export interface HsmMessage<Content> {
  readonly hsm: Content;
}

export interface HsmRequest {
  /** The worker's own. */
  readonly id: number;
  /** The key's position in the store. */
  readonly position: number;
  readonly scheme: Scheme;
  /** The worker's number for it. */
  readonly connection: number;
  /** From now on; threads have clocks of their own. */
  readonly leftMs: number;
  readonly bytes: Uint8Array;
}

export interface HsmReply extends SessionReply {
  readonly id: number;
}

export function packHsmRequests(requests: readonly HsmRequest[]): Batch {
  return packRows(requests, REQUEST_NUMBERS, (request, numbers, at) => {
    numbers[at] = request.id;
    numbers[at + 1] = request.position;
    numbers[at + 2] = SCHEME_NAMES.indexOf(request.scheme);
    numbers[at + 3] = request.connection;
    numbers[at + 4] = request.leftMs;
  });
}

export function unpackHsmRequests(batch: Batch): readonly HsmRequest[] {
  return unpackRows(batch, REQUEST_NUMBERS, (numbers, at, bytes) => {
    return {
      id: numbers[at]!,
      position: numbers[at + 1]!,
      scheme: SCHEME_NAMES[numbers[at + 2]!]!,
      connection: numbers[at + 3]!,
      leftMs: numbers[at + 4]!,
      bytes,
    };
  });
}

export function packHsmReplies(replies: readonly HsmReply[]): Batch {
  return packRows(replies, REPLY_NUMBERS, ({ id, outcome }, numbers, at) => {
    numbers[at] = id;
    numbers[at + 1] = OUTCOMES.indexOf(outcome);
  });
}

export function unpackHsmReplies(batch: Batch): readonly HsmReply[] {
  return unpackRows(batch, REPLY_NUMBERS, (numbers, at, bytes) => {
    return { id: numbers[at]!, outcome: OUTCOMES[numbers[at + 1]!]!, bytes };
  });
}

const REQUEST_NUMBERS = 6;
const REPLY_NUMBERS = 3;
