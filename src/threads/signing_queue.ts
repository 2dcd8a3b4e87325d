import { checkFit } from "../crypto/check_fit.ts";
import type { PrivateKey } from "../crypto/engine.ts";
import type { Scheme } from "../crypto/scheme.ts";
import { KeylessError } from "../errors/errors.ts";
import { onceATurn } from "../runtime/turn.ts";
import { Admission, type Amounts } from "./admission.ts";
import { FairQueue } from "./fair_queue.ts";
import { LoopTurns } from "./loop_turns.ts";
import { SharedCounters } from "./shared_counters.ts";
import { Signals } from "./signals.ts";
import { SIGNING_COUNTERS, type SigningMemory } from "./signing_memory.ts";
import { roomFor, type ThreadReply, type ThreadRequest, TURN_LIMITS } from "./turns.ts";

/** Whose request it is, how long it is wanted, and what it holds meanwhile. */
export interface SigningContext {
  /** On the clock of `performance.now()`; Infinity where there is none. */
  readonly deadlineMs: number;
  /** One for each connection: it is also what connections are told apart by. */
  readonly signal: AbortSignal;
  /** What memory it holds until it is answered; that of its bytes alone where it is left out. */
  readonly heldBytes?: number;
}

/** How much may wait over all event loops, beside what the threads have time for. */
export type SigningBounds = Pick<Amounts, "requests" | "bytes">;

/** Why requests were not carried out: no room, too late, the connection gone. */
export const SHED_REASONS = ["full", "deadline", "closed"] as const;
export type ShedReason = (typeof SHED_REASONS)[number];

export interface SigningLoad {
  /** Requests that wait here, and those that threads have of it. */
  readonly waiting: number;
  readonly atThreads: number;
  /** How long the oldest has waited here; 0 where none does. */
  readonly oldestMs: number;
  /** The most requests that were outstanding at once, over all event loops. */
  readonly largest: number;
  /** Threads that have something to do, of any event loop, of those that run. */
  readonly busy: number;
  readonly threads: number;
  readonly shed: Readonly<Record<ShedReason, number>>;
}

/**
 * An event loop's queue before the signing threads.
 *
 * Requests wait here, where the queue is fair, and threads have only so many that they do not run out
 * of work before the next come. Requests that became ready together travel together.
 */
export class SigningQueue {
  /** The longest bytes that a request may have: any block or digest, not any message of Ed25519. */
  readonly maxBytes = TURN_LIMITS.bytes;
  readonly #queue = new FairQueue<Entry>(TURN_LIMITS);
  /** After all that the connection has read: they travel together. */
  readonly #fillSoon = onceATurn(() => this.#fill());
  readonly #threads: number;
  readonly #bounds: SigningBounds;
  readonly #signals: Signals;
  readonly #admission: Admission;
  readonly #turns: LoopTurns<Entry>;
  readonly #shed = { full: 0, deadline: 0, closed: 0 };
  #isClosed = false;
  #sweep: ReturnType<typeof setTimeout> | undefined;

  /** @param loop this event loop's place in the memory; whoever had it before has ended */
  constructor(memory: SigningMemory, loop: number, bounds: SigningBounds = DEFAULT_BOUNDS) {
    const counters = new SharedCounters(SIGNING_COUNTERS, memory.counters, loop);
    counters.clear();
    this.#signals = new Signals(memory);
    this.#threads = Math.max(1, memory.threads);
    this.#bounds = bounds;
    this.#admission = new Admission(counters);
    this.#turns = new LoopTurns(memory, loop, counters, () => this.#rung());
    this.#turns.listen();
  }

  /**
   * Signs a digest, or for "rsa-decrypt" applies the private key to a block.
   *
   * A request that a thread has is always waited for, so the key is not in use when this settles.
   *
   * @param key of the libcrypto engine
   * @param bytes copied; at most `maxBytes`
   * @param costMs what such an operation takes
   * @returns a fresh buffer
   * @throws KeylessError at once: "SIGN_REFUSED"; "QUEUE_FULL"; "ABORTED" after `close`. As rejections:
   *   "SIGN_REFUSED", "SIGN_FAILED", "THREAD_LOST"; unsigned: "DEADLINE", "ABORTED"
   */
  sign(
    key: PrivateKey,
    scheme: Scheme,
    bytes: Uint8Array,
    costMs: number,
    context: SigningContext,
  ): Promise<Uint8Array> {
    checkFit(key.info, scheme, bytes);
    const roomBytes = roomFor({ bits: key.info.bits, bytes });
    if (roomBytes > this.maxBytes) {
      throw new KeylessError("SIGN_REFUSED", `signing threads take ${this.maxBytes} bytes at most`);
    }
    if (this.#isClosed) throw SHED_ERRORS.closed();
    const { signal, deadlineMs, heldBytes = bytes.length } = context;
    const sinceMs = performance.now();
    const amounts = { requests: 1, bytes: heldBytes, work: workOf(costMs) };
    const work = Math.max(1, workOf((deadlineMs - sinceMs) * this.#threads));
    const tooMuch = this.#admission.admit(signal, amounts, { ...this.#bounds, work });
    if (tooMuch !== undefined) {
      this.#shed.full += 1;
      throw new KeylessError("QUEUE_FULL", TOO_MUCH[tooMuch]);
    }
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    const address = key.handle as number;
    const request = { address, bits: key.info.bits, scheme, bytes: bytes.slice() };
    this.#queue.push({
      connection: signal,
      key: address,
      costMs,
      roomBytes,
      request,
      amounts,
      deadlineMs,
      sinceMs,
      resolve,
      reject,
      isRetried: false,
    });
    this.#fillSoon();
    this.#sweepIn(SWEEP_EVERY_MS);
    return promise;
  }

  /** Looks at every connection and key that is waited for: to be asked for now and then. */
  load(): SigningLoad {
    const nowMs = performance.now();
    let oldestMs = nowMs;
    this.#queue.eachFirst(({ sinceMs }) => oldestMs = Math.min(oldestMs, sinceMs));
    return {
      waiting: this.#queue.length,
      atThreads: this.#turns.length,
      oldestMs: nowMs - oldestMs,
      largest: this.#admission.largest,
      busy: this.#signals.busy,
      threads: this.#signals.running,
      shed: { ...this.#shed },
    };
  }

  /** Refuses what waits and what comes from here on. What threads have is answered by them. */
  close(): void {
    this.#isClosed = true;
    this.#sweepNow();
    if (this.#turns.length === 0) this.#turns.close();
  }

  /** Turns have returned, or there are more or fewer threads. */
  #rung(): void {
    const { answered, lost } = this.#turns.collect();
    for (const entry of lost.toReversed()) this.#retry(entry);
    this.#fill(); // before anything else: threads may be idle
    for (const [entry, reply] of answered) this.#settle(entry, reply);
    if (this.#isClosed && this.#turns.length === 0) this.#turns.close();
  }

  /** Tries what a thread had when it ended on another, once: it may be what the thread died of. */
  #retry(entry: Entry): void {
    if (entry.isRetried || this.#isClosed) {
      this.#release(entry);
      entry.reject(threadLost());
    } else {
      entry.isRetried = true;
      this.#queue.putBack(entry);
    }
  }

  #settle(entry: Entry, { outcome, bytes }: ThreadReply): void {
    this.#release(entry);
    if (outcome === "made") entry.resolve(bytes);
    else entry.reject(new KeylessError(outcome, new TextDecoder().decode(bytes)));
  }

  /** Hands out as much as threads need. */
  #fill(): void {
    const nowMs = performance.now();
    while (this.#turns.hasRoom) {
      const turn = this.#queue.take();
      if (turn.length === 0) break;
      const wanted = turn.filter((entry) => !this.#refuses(entry, nowMs));
      if (wanted.length > 0) this.#turns.give(wanted);
    }
  }

  /** Rejects a request that nobody wants any more. */
  #refuses(entry: Entry, nowMs: number): boolean {
    const reason = this.#unwanted(entry, nowMs);
    if (reason === undefined) return false;
    this.#shed[reason] += 1;
    this.#release(entry);
    entry.reject(SHED_ERRORS[reason](nowMs - entry.sinceMs));
    return true;
  }

  #unwanted({ connection, deadlineMs }: Entry, nowMs: number): "closed" | "deadline" | undefined {
    if (this.#isClosed || connection.aborted) return "closed";
    return nowMs >= deadlineMs ? "deadline" : undefined;
  }

  #release({ connection, amounts }: Entry): void {
    this.#admission.release(connection, amounts);
  }

  /** Gives up what nobody wants any more: here, and what no thread has begun. */
  #sweepNow(): void {
    clearTimeout(this.#sweep);
    this.#sweep = undefined;
    const nowMs = performance.now();
    const isWanted = (entry: Entry) => this.#unwanted(entry, nowMs) === undefined;
    for (const entry of this.#queue.sweep(isWanted)) this.#refuses(entry, nowMs);
    for (const entry of this.#turns.withdraw(isWanted).toReversed()) {
      if (!this.#refuses(entry, nowMs)) this.#queue.putBack(entry);
    }
    this.#fill();
    const tookMs = performance.now() - nowMs;
    this.#sweepIn(Math.max(SWEEP_EVERY_MS, tookMs * SWEEP_REST));
  }

  #sweepIn(delayMs: number): void {
    if (this.#queue.length === 0 && this.#turns.length === 0) return;
    this.#sweep ??= setTimeout(() => this.#sweepNow(), delayMs);
  }
}

interface Entry {
  readonly connection: AbortSignal;
  readonly key: number;
  readonly costMs: number;
  readonly roomBytes: number;
  readonly request: ThreadRequest;
  readonly amounts: Amounts;
  readonly deadlineMs: number;
  readonly sinceMs: number;
  readonly resolve: (made: Uint8Array) => void;
  readonly reject: (error: KeylessError) => void;
  isRetried: boolean;
}

function threadLost(): KeylessError {
  return new KeylessError("THREAD_LOST", "the signing thread ended before it had answered");
}

/** In `Amounts`. */
function workOf(ms: number): number {
  return Math.ceil(ms * 100);
}

const TOO_MUCH: Readonly<Record<keyof Amounts, string>> = {
  requests: "too many requests wait for a signing thread",
  bytes: "requests that hold too much memory wait for a signing thread",
  work: "more work waits for the signing threads than they can do within sign_timeout",
};

const SHED_ERRORS = {
  closed: () => new KeylessError("ABORTED", "nobody waits for the answer any more"),
  deadline: (waitedMs: number) =>
    new KeylessError(
      "DEADLINE",
      `it waited ${Math.round(waitedMs)} ms for a signing thread, longer than sign_timeout allows`,
    ),
} as const;

/** Bytes: twice what so many requests of the usual length hold. */
const DEFAULT_BOUNDS: SigningBounds = { requests: 32_768, bytes: 67_108_864 };

/** A deadline is kept to within this. */
const SWEEP_EVERY_MS = 100;
/** After a sweep that took long, the rest of the event loop has its turn for so many times as long. */
const SWEEP_REST = 20;
