import { MAX_RSA_BITS } from "../crypto/key_strength.ts";
import { type Scheme, SCHEME_NAMES } from "../crypto/scheme.ts";
import type { SigningMemory } from "./signing_memory.ts";

export interface ThreadRequest {
  /** The key's, in libcrypto's memory. */
  readonly address: number;
  /** Of the key. */
  readonly bits: number;
  /** Fits the key. */
  readonly scheme: Scheme;
  readonly bytes: Uint8Array;
}

export interface ThreadReply {
  readonly outcome: Outcome;
  /** What was made, or the error's message in UTF-8. */
  readonly bytes: Uint8Array;
}

/** "made", or the error's code. */
export const OUTCOMES = ["made", "SIGN_REFUSED", "SIGN_FAILED"] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** What goes in one turn, where each request takes `roomFor` of the bytes. */
export const TURN_LIMITS = { entries: 8, bytes: MAX_RSA_BITS / 8 } as const;

/** What a request takes of its turn's bytes: its result has the same place. */
export function roomFor({ bits, bytes }: Pick<ThreadRequest, "bits" | "bytes">): number {
  return Math.max(MIN_ROOM_BYTES, Math.ceil(bits / 8), bytes.length);
}

/**
 * A turn goes from FREE to READY by its event loop, to TAKEN (plus the thread's place) by a signing
 * thread, to DONE by it, and back to FREE by the loop. It is LOST where its thread ended meanwhile.
 */
export const TURN = { FREE: 0, READY: 1, DONE: 2, LOST: 3, TAKEN: 4 } as const;

/**
 * Turns in shared memory: requests for one key that a signing thread carries out together. Every
 * loop has so many of its own. Nothing is locked: a turn's state says who may touch the rest of it,
 * and whoever changes the state hands the rest over.
 *
 * States and numbers of all turns lie together, before the rest: threads look at many of them.
 *
 *     head:   | state | number |
 *     word    0       1      2 and 3         4          4 + 3 × 8   32
 *             | count | bits | address (f64) | requests | unused    | bytes |
 *     request: scheme, or its outcome | length of its bytes, or of its result's | where they are
 */
export class Turns {
  /** How many each loop has. Those of a loop begin at its place times this. */
  readonly each: number;
  readonly #all: number;
  readonly #heads: Int32Array;
  readonly #words: Int32Array;
  readonly #addresses: Float64Array;
  readonly #bytes: Uint8Array;

  constructor({ loops, threads, turns }: Pick<SigningMemory, "loops" | "threads" | "turns">) {
    this.each = turnsOfLoop(threads);
    this.#all = loops * this.each;
    const start = this.#all * HEAD_WORDS * WORD_BYTES;
    this.#heads = new Int32Array(turns, 0, this.#all * HEAD_WORDS);
    this.#words = new Int32Array(turns, start);
    this.#addresses = new Float64Array(turns, start);
    this.#bytes = new Uint8Array(turns, start);
  }

  state(turn: number): number {
    return Atomics.load(this.#heads, turn * HEAD_WORDS);
  }

  /** @returns false where the state is another one */
  change(turn: number, from: number, to: number): boolean {
    return Atomics.compareExchange(this.#heads, turn * HEAD_WORDS, from, to) === from;
  }

  /**
   * Makes a turn of the caller's loop FREE, and overwrites what it held: what was decrypted is a
   * secret.
   *
   * @returns false where its state is not `from`
   */
  free(turn: number, from: number): boolean {
    if (!this.change(turn, from, TURN.FREE)) return false;
    const start = (turn * TURN_WORDS + BYTES) * WORD_BYTES;
    this.#bytes.fill(0, start, start + TURN_LIMITS.bytes);
    return true;
  }

  /**
   * Frees a turn whose loop has ended, unless a thread has it.
   *
   * @returns whether it is FREE
   */
  reclaim(turn: number): boolean {
    for (const state of [TURN.READY, TURN.DONE, TURN.LOST]) this.free(turn, state);
    return this.state(turn) === TURN.FREE;
  }

  /**
   * Makes a FREE turn READY.
   *
   * @param number higher than those of the turns which are to be taken before this one
   * @param requests for one key, within TURN_LIMITS
   */
  publish(turn: number, number: number, requests: readonly ThreadRequest[]): void {
    const words = this.#words;
    const start = turn * TURN_WORDS;
    words[start + COUNT] = requests.length;
    words[start + BITS] = requests[0]!.bits;
    this.#addresses[(start + ADDRESS) / 2] = requests[0]!.address;
    let at = (start + BYTES) * WORD_BYTES;
    let row = start + ROWS;
    for (const request of requests) {
      words[row] = SCHEME_NAMES.indexOf(request.scheme);
      words[row + LENGTH] = request.bytes.length;
      words[row + AT] = at;
      this.#bytes.set(request.bytes, at);
      at += roomFor(request);
      row += ROW_WORDS;
    }
    this.#heads[turn * HEAD_WORDS + NUMBER] = number;
    Atomics.store(this.#heads, turn * HEAD_WORDS, TURN.READY);
  }

  /** The READY turn of a loop that has the lowest number. */
  next(loop: number): number | undefined {
    let next: number | undefined;
    let lowest = 0;
    for (let turn = loop * this.each; turn < (loop + 1) * this.each; turn++) {
      if (this.state(turn) !== TURN.READY) continue;
      const number = this.#heads[turn * HEAD_WORDS + NUMBER]!;
      if (next !== undefined && ((number - lowest) | 0) > 0) continue; // they wrap around
      next = turn;
      lowest = number;
    }
    return next;
  }

  /**
   * Makes a turn that the thread has TAKEN DONE: carries out each of its requests.
   *
   * @param place the thread's
   */
  carryOut(
    turn: number,
    place: number,
    answer: (request: ThreadRequest) => ThreadReply,
  ): void {
    const words = this.#words;
    const start = turn * TURN_WORDS;
    const bits = words[start + BITS]!;
    const address = this.#addresses[(start + ADDRESS) / 2]!;
    for (let row = start + ROWS; row < this.#endOf(start); row += ROW_WORDS) {
      const at = words[row + AT]!;
      const bytes = this.#bytes.slice(at, at + words[row + LENGTH]!);
      const request = { address, bits, scheme: SCHEME_NAMES[words[row]!]!, bytes };
      const room = Math.min(roomFor(request), start * WORD_BYTES + TURN_BYTES - at);
      const reply = fitReply(answer(request), room);
      if (this.state(turn) !== TURN.TAKEN + place) return; // the thread was given up meanwhile
      this.#bytes.set(reply.bytes, at);
      words[row] = OUTCOMES.indexOf(reply.outcome);
      words[row + LENGTH] = reply.bytes.length;
    }
    this.change(turn, TURN.TAKEN + place, TURN.DONE);
  }

  /** What a DONE turn has come to, in the order of its requests. Copies. */
  replies(turn: number): readonly ThreadReply[] {
    const words = this.#words;
    const start = turn * TURN_WORDS;
    const replies: ThreadReply[] = [];
    for (let row = start + ROWS; row < this.#endOf(start); row += ROW_WORDS) {
      const at = words[row + AT]!;
      const bytes = this.#bytes.slice(at, at + words[row + LENGTH]!);
      replies.push({ outcome: OUTCOMES[words[row]!]!, bytes });
    }
    return replies;
  }

  /** Makes what a thread has TAKEN LOST: it has ended. */
  lose(place: number): void {
    for (let turn = 0; turn < this.#all; turn++) this.change(turn, TURN.TAKEN + place, TURN.LOST);
  }

  #endOf(start: number): number {
    return start + ROWS + this.#words[start + COUNT]! * ROW_WORDS;
  }
}

export function turnMemory(loops: number, threads: number): SharedArrayBuffer {
  const words = HEAD_WORDS + TURN_WORDS;
  return new SharedArrayBuffer(loops * turnsOfLoop(threads) * words * WORD_BYTES);
}

/**
 * Enough for one loop to keep all threads busy with requests that come one by one; on machines of
 * many cores, where there are as many loops, its memory is bounded.
 */
function turnsOfLoop(threads: number): number {
  return Math.min(threads * 8, MAX_TURNS_OF_LOOP);
}

/** The reply, within its room: a long message is cut, a result must fit. */
function fitReply(reply: ThreadReply, room: number): ThreadReply {
  const { outcome, bytes } = reply;
  if (bytes.length <= room) return reply;
  if (outcome !== "made") return { outcome, bytes: bytes.subarray(0, room) };
  const why = `the result has ${bytes.length} bytes, where ${room} have room`;
  return { outcome: "SIGN_FAILED", bytes: new TextEncoder().encode(why).subarray(0, room) };
}

const WORD_BYTES = Int32Array.BYTES_PER_ELEMENT;
const MAX_TURNS_OF_LOOP = 128;
/** More than the longest ECDSA or Ed25519 signature, and for the text of an error. */
const MIN_ROOM_BYTES = 256;

// words of a turn's head; its state is the first
const NUMBER = 1;
const HEAD_WORDS = 2;

// words of a turn
const COUNT = 0;
const BITS = 1;
const ADDRESS = 2;
const ROWS = 4;
const BYTES = 32;
const TURN_WORDS = BYTES + TURN_LIMITS.bytes / WORD_BYTES;
const TURN_BYTES = TURN_WORDS * WORD_BYTES;

// words of a request; its scheme or outcome is the first
const LENGTH = 1;
const AT = 2;
const ROW_WORDS = 3;
