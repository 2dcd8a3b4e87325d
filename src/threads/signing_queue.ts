import type { MessagePort } from "node:worker_threads";
import { checkFit } from "../crypto/check_fit.ts";
import type { PrivateKey } from "../crypto/engine.ts";
import type { Scheme } from "../crypto/scheme.ts";
import { KeylessError } from "../errors/errors.ts";
import {
  type Batch,
  decodeReplies,
  encodeRequests,
  type ThreadReply,
  type ThreadRequest,
} from "./batch.ts";
import { FairQueue } from "./fair_queue.ts";
import type { ThreadUser } from "./signing_threads.ts";

/** Whose request it is, and how long it is wanted. */
export interface SigningContext {
  /** On the clock of `performance.now()`; Infinity where there is none. */
  readonly deadlineMs: number;
  /** One for each connection: it is also what connections are told apart by. */
  readonly signal: AbortSignal;
}

/** Why requests were not carried out: no room, too late, the connection gone. */
export const SHED_REASONS = ["full", "deadline", "closed"] as const;
export type ShedReason = (typeof SHED_REASONS)[number];

export interface SigningLoad {
  /** Requests that wait here, and those that threads have. */
  readonly waiting: number;
  readonly atThreads: number;
  /** How long the oldest has waited here; 0 where none does. */
  readonly oldestMs: number;
  /** Threads that have something to do, of those that run. */
  readonly busy: number;
  readonly threads: number;
  readonly shed: Readonly<Record<ShedReason, number>>;
}

/**
 * An event loop's queue before the signing threads.
 *
 * Requests wait here, where the queue is fair, and a thread holds only so many that it does not run
 * out of work before the next come. Requests that became ready together travel together.
 */
export class SigningQueue implements ThreadUser {
  readonly #queue: FairQueue<Entry>;
  readonly #threads = new Map<number, Thread>();
  readonly #shed = { full: 0, deadline: 0, closed: 0 };
  #isFillQueued = false;
  #isClosed = false;
  #sweep: ReturnType<typeof setTimeout> | undefined;

  constructor(options: { readonly capacity?: number } = {}) {
    this.#queue = new FairQueue(options.capacity ?? DEFAULT_CAPACITY);
  }

  /**
   * Signs a digest, or for "rsa-decrypt" applies the private key to a block.
   *
   * A request that a thread has is always waited for, so the key is not in use when this settles.
   *
   * @param key of the libcrypto engine
   * @param costMs what such an operation takes
   * @returns a fresh buffer
   * @throws KeylessError "SIGN_REFUSED", "SIGN_FAILED"; unsigned: "QUEUE_FULL" at once, "DEADLINE",
   *   "ABORTED". All but "QUEUE_FULL" and "SIGN_REFUSED" come as rejections
   */
  sign(
    key: PrivateKey,
    scheme: Scheme,
    bytes: Uint8Array,
    costMs: number,
    context: SigningContext,
  ): Promise<Uint8Array> {
    checkFit(key.info, scheme, bytes);
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    const address = key.handle as number;
    const entry: Entry = {
      connection: context.signal,
      key: address,
      request: { address, bits: key.info.bits, scheme, bytes },
      costMs,
      context,
      sinceMs: performance.now(),
      resolve,
      reject,
      isRetried: false,
    };
    if (!this.#queue.push(entry)) {
      this.#shed.full += 1;
      throw new KeylessError("QUEUE_FULL", "too many requests wait for a signing thread");
    }
    this.#fillSoon();
    this.#sweep ??= setTimeout(() => this.#sweepNow(), SWEEP_EVERY_MS);
    return promise;
  }

  /** Looks at every request that waits: to be asked for now and then. */
  load(): SigningLoad {
    const threads = [...this.#threads.values()];
    const nowMs = performance.now();
    const oldest = this.#queue.entries().reduce(
      (least, { sinceMs }) => Math.min(least, sinceMs),
      nowMs,
    );
    return {
      waiting: this.#queue.length,
      atThreads: threads.reduce((sum, { held }) => sum + held.length, 0),
      oldestMs: nowMs - oldest,
      busy: threads.filter(({ held }) => held.length > 0).length,
      threads: threads.length,
      shed: { ...this.#shed },
    };
  }

  /** Refuses what waits and what comes from here on. What threads have is answered by them. */
  close(): void {
    this.#isClosed = true;
    this.#sweepNow();
  }

  threadStarted(id: number, port: MessagePort): void {
    const thread: Thread = { port, held: [], heldMs: 0 };
    this.#threads.set(id, thread);
    port.on("message", (batch: Batch) => this.#replied(thread, batch));
    this.#fillSoon();
  }

  /** Tries what the thread had on another one, once: a request may be what it died of. */
  threadEnded(id: number): void {
    const thread = this.#threads.get(id);
    if (thread === undefined) return;
    this.#threads.delete(id);
    thread.port.close();
    // taken away: a reply that is still on its way must not be given to what comes after
    for (const entry of thread.held.splice(0).reverse()) {
      if (entry.isRetried || this.#isClosed) entry.reject(threadLost());
      else {
        entry.isRetried = true;
        this.#queue.putBack(entry);
      }
    }
    this.#fillSoon();
  }

  #replied(thread: Thread, batch: Batch): void {
    const replies = decodeReplies(batch);
    const answered = thread.held.splice(0, replies.length);
    for (const { costMs } of answered) thread.heldMs -= costMs;
    this.#fill(); // before anything else: the thread may be idle
    for (const [index, entry] of answered.entries()) settle(entry, replies[index]!);
  }

  /** After all that the connection has read: they travel together. */
  #fillSoon(): void {
    if (this.#isFillQueued) return;
    this.#isFillQueued = true;
    queueMicrotask(() => {
      this.#isFillQueued = false;
      this.#fill();
    });
  }

  /** Gives threads what they have room for, those with the least first. */
  #fill(): void {
    const nowMs = performance.now();
    for (let thread = this.#idlest(); thread !== undefined; thread = this.#idlest()) {
      const turn = this.#queue.take();
      if (turn.length === 0) break;
      const entries = turn.filter((entry) => !this.#refuses(entry, nowMs));
      if (entries.length === 0) continue;
      thread.held.push(...entries);
      for (const { costMs } of entries) thread.heldMs += costMs;
      thread.port.postMessage(encodeRequests(entries.map(({ request }) => request)));
    }
  }

  /** The thread with the least to do, if it has room. */
  #idlest(): Thread | undefined {
    let idlest: Thread | undefined;
    for (const thread of this.#threads.values()) {
      if (idlest === undefined || thread.heldMs < idlest.heldMs) idlest = thread;
    }
    if (idlest === undefined) return undefined;
    const { held, heldMs } = idlest;
    const hasRoom = heldMs < BUSY_MS || (held.length < 2 && heldMs < LONG_MS);
    return hasRoom ? idlest : undefined;
  }

  /** Rejects a request that nobody wants any more. */
  #refuses(entry: Entry, nowMs: number): boolean {
    const reason = this.#unwanted(entry, nowMs);
    if (reason === undefined) return false;
    this.#shed[reason] += 1;
    entry.reject(SHED_ERRORS[reason](nowMs - entry.sinceMs));
    return true;
  }

  #unwanted({ context }: Entry, nowMs: number): "closed" | "deadline" | undefined {
    if (this.#isClosed || context.signal.aborted) return "closed";
    return nowMs >= context.deadlineMs ? "deadline" : undefined;
  }

  #sweepNow(): void {
    clearTimeout(this.#sweep);
    this.#sweep = undefined;
    const nowMs = performance.now();
    const isWanted = (entry: Entry) => this.#unwanted(entry, nowMs) === undefined;
    for (const entry of this.#queue.sweep(isWanted)) this.#refuses(entry, nowMs);
    if (this.#queue.length > 0) {
      this.#sweep = setTimeout(() => this.#sweepNow(), SWEEP_EVERY_MS);
    }
  }
}

interface Entry {
  readonly connection: object;
  readonly key: number;
  readonly request: ThreadRequest;
  readonly costMs: number;
  readonly context: SigningContext;
  readonly sinceMs: number;
  readonly resolve: (made: Uint8Array) => void;
  readonly reject: (error: KeylessError) => void;
  isRetried: boolean;
}

interface Thread {
  readonly port: MessagePort;
  /** In the order in which it answers. */
  readonly held: Entry[];
  /** What they take together. */
  heldMs: number;
}

function settle({ resolve, reject }: Entry, { outcome, bytes }: ThreadReply): void {
  if (outcome === "made") resolve(bytes);
  else reject(new KeylessError(outcome, new TextDecoder().decode(bytes)));
}

function threadLost(): KeylessError {
  return new KeylessError("SIGN_FAILED", "the signing thread ended before it had answered");
}

const SHED_ERRORS = {
  closed: () => new KeylessError("ABORTED", "nobody waits for the answer any more"),
  deadline: (waitedMs: number) =>
    new KeylessError(
      "DEADLINE",
      `it waited ${Math.round(waitedMs)} ms for a signing thread, longer than sign_timeout allows`,
    ),
};

const DEFAULT_CAPACITY = 32_768;

/** A thread that has so much to do gets no more: the next comes in time. */
const BUSY_MS = 1.5;
/** It gets a second request beside one that takes less than this: it would wait for it otherwise. */
const LONG_MS = 20;

/** A deadline is kept to within this. */
const SWEEP_EVERY_MS = 100;
