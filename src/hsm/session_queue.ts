import type { KeyShape } from "../crypto/public_key.ts";
import type { Scheme } from "../crypto/scheme.ts";
import { onceATurn } from "../runtime/turn.ts";
import { FairQueue } from "../threads/fair_queue.ts";
import type { Outcome, SessionReply, SessionRequest } from "./batch.ts";
import { OperationCosts } from "./operation_costs.ts";

/** What a token is asked for. */
export interface TokenRequest {
  /** The key's number in the module's process. */
  readonly key: number;
  readonly shape: KeyShape;
  /** Fits the key. */
  readonly scheme: Scheme;
  /** Kept, not copied. */
  readonly bytes: Uint8Array;
  /** Who asks, told apart by identity; what waits is dropped when nobody waits for it any more. */
  readonly connection: { readonly aborted: boolean };
  /** On the clock of `performance.now()`. */
  readonly deadlineMs: number;
  /** Called once. */
  settle(reply: SessionReply): void;
}

/** What the queue needs of a session: `ModuleSession`. */
export interface QueueSession {
  request(requests: readonly SessionRequest[]): void;
  onReplies(listener: (replies: readonly SessionReply[]) => void): void;
}

export interface SessionQueueOptions {
  /** How long a request may wait for a session. */
  readonly waitMs: number;
  /** Told of each reply but those that were made. */
  readonly onError?: (reply: SessionReply) => void;
  /** A request for the key was made that a session had in hand when it ended. */
  readonly onRetried?: (key: number) => void;
  /** Requests wait although every session has work. */
  readonly onDemand?: () => void;
}

/**
 * The requests for a token and the sessions that carry them out. Requests wait here, where the queue
 * is fair by connection and by key; a session has as many at once as take some milliseconds, so that
 * its thread does not idle between them, and of long ones a single one.
 */
export class SessionQueue {
  readonly #options: SessionQueueOptions;
  readonly #queue = new FairQueue<Entry>(TURN_LIMITS);
  /** After all that came with it: they travel together. */
  readonly #fillSoon = onceATurn(() => this.#fill());
  readonly #sessions = new Map<QueueSession, Held>();
  readonly #costs = new OperationCosts();
  #waitingMs = 0;
  #largest = 0;
  #made = 0;
  #isPaused = false;
  #isClosed = false;
  #sweep: ReturnType<typeof setTimeout> | undefined;

  constructor(options: SessionQueueOptions) {
    this.#options = options;
  }

  /** Requests that wait for a session. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** How long the sessions will take for what waits. */
  get backlogMs(): number {
    return this.#waitingMs / Math.max(1, this.#sessions.size);
  }

  /** Sessions that have something to do. */
  get inUse(): number {
    let count = 0;
    for (const { entries } of this.#sessions.values()) if (entries.length > 0) count += 1;
    return count;
  }

  /** The most sessions that have ever been in use at once. */
  get largest(): number {
    return this.#largest;
  }

  /** How many requests have been carried out. */
  get made(): number {
    return this.#made;
  }

  /** How long the oldest of the waiting requests has waited; 0 where none does. */
  oldestMs(): number {
    const nowMs = performance.now();
    let oldestMs = nowMs;
    this.#queue.eachFirst(({ sinceMs }) => oldestMs = Math.min(oldestMs, sinceMs));
    return nowMs - oldestMs;
  }

  push(request: TokenRequest): void {
    const { key, shape: { bits }, scheme, bytes, connection } = request;
    this.#queue.push(this.#counted({
      request,
      toSend: { key, bits, scheme, bytes },
      ...{ connection, key },
      costMs: this.#costs.of(request),
      roomBytes: bytes.length,
      sinceMs: performance.now(),
      isRetried: false,
      isSettled: false,
    }));
    this.#fillSoon();
    this.#sweepLater();
  }

  /** A session that may be used from here on. */
  add(session: QueueSession): void {
    const held: Held = { session, entries: [], heldMs: 0, sinceMs: performance.now() };
    this.#sessions.set(session, held);
    session.onReplies((replies) => this.#replied(held, replies));
    this.#fillSoon();
  }

  /**
   * The session has ended. What it had not answered is tried in another one, once.
   *
   * @param isByFirst whether it ended at the first of these: then the others were not tried yet
   * @returns the key of that one
   */
  remove(session: QueueSession, why: string, isByFirst = false): number | undefined {
    const held = this.#sessions.get(session);
    if (held === undefined) return undefined;
    this.#sessions.delete(session);
    session.onReplies(() => {}); // its thread may still be at work
    const [first] = held.entries;
    for (const entry of held.entries.toReversed()) {
      if (entry.isSettled) continue;
      const wasTried = !isByFirst || entry === first;
      if (wasTried && entry.isRetried) {
        this.#settle(entry, replyOf("SIGN_FAILED", `the session ended: ${why}`));
        continue;
      }
      if (wasTried) {
        entry.isRetried = true;
        entry.sinceMs = performance.now();
      }
      this.#queue.putBack(this.#counted(entry));
    }
    if (this.#isClosed) this.#failAll();
    this.#fillSoon();
    return isByFirst ? first?.key : undefined;
  }

  /** Gives the sessions nothing more until `resume`: it is not sure that they are of use. */
  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#fillSoon();
  }

  /** A session that has had nothing to do since then, if there is one: it is used no more. */
  takeIdle(sinceMs: number): QueueSession | undefined {
    for (const { session, entries, sinceMs: idleSinceMs } of this.#sessions.values()) {
      if (entries.length > 0 || idleSinceMs > sinceMs) continue;
      this.#sessions.delete(session);
      return session;
    }
    return undefined;
  }

  /** Answers everything that waits, or all of it that is for a key. */
  fail(outcome: Exclude<Outcome, "made">, why: string, key?: number): void {
    for (const entry of this.#queue.sweep((each) => key !== undefined && each.key !== key)) {
      this.#waitingMs -= entry.costMs;
      this.#settle(entry, replyOf(outcome, why));
    }
    if (this.#queue.length === 0) this.#waitingMs = 0;
  }

  /** Answers nothing any more. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#sweep);
    this.#failAll();
  }

  #failAll(): void {
    this.fail("ABORTED", "the token is not used any more");
  }

  #counted(entry: Entry): Entry {
    this.#waitingMs += entry.costMs;
    return entry;
  }

  #fill(): void {
    if (this.#isPaused) return;
    const nowMs = performance.now();
    while (this.#queue.length > 0) {
      const session = this.#roomiest();
      if (session === undefined) break;
      const turn = this.#queue.take();
      for (const { costMs } of turn) this.#waitingMs -= costMs;
      const wanted = turn.filter((entry) => !this.#isGivenUp(entry, nowMs));
      if (wanted.length > 0) give(session, wanted, nowMs);
    }
    this.#largest = Math.max(this.#largest, this.inUse);
    if (this.#queue.length === 0) this.#waitingMs = 0; // nothing adds up over time
    else this.#options.onDemand?.();
  }

  /** The session that has least to do, if there is one that needs more. */
  #roomiest(): Held | undefined {
    let roomiest: Held | undefined;
    for (const held of this.#sessions.values()) {
      if (roomiest === undefined || held.heldMs < roomiest.heldMs) roomiest = held;
    }
    return roomiest !== undefined && hasRoom(roomiest) ? roomiest : undefined;
  }

  #replied(held: Held, replies: readonly SessionReply[]): void {
    const nowMs = performance.now();
    const answered = held.entries.splice(0, replies.length);
    this.#costs.observe(answered.map(({ request }) => request), nowMs - held.sinceMs);
    held.sinceMs = nowMs;
    held.heldMs = held.entries.reduce((sum, { costMs }) => sum + costMs, 0);
    this.#fill(); // before anything else: the session may be idle
    for (const [index, entry] of answered.entries()) this.#settle(entry, replies[index]!);
  }

  /** Whether nobody wants it any more, or it has waited too long: then it is answered so. */
  #isGivenUp(entry: Entry, nowMs: number): boolean {
    const { request: { connection, deadlineMs }, sinceMs } = entry;
    const { waitMs } = this.#options;
    if (connection.aborted) {
      this.#settle(entry, replyOf("ABORTED", "nobody waits for the answer any more"));
    } else if (nowMs - sinceMs >= waitMs || nowMs >= deadlineMs) {
      const waited = Math.round(nowMs - sinceMs);
      this.#settle(entry, replyOf("HSM_BUSY", `no session was free within ${waited} ms`));
    } else return false;
    return true;
  }

  #settle(entry: Entry, reply: SessionReply): void {
    if (entry.isSettled) return;
    entry.isSettled = true;
    if (reply.outcome !== "made") this.#options.onError?.(reply);
    else {
      this.#made += 1;
      if (entry.isRetried) this.#options.onRetried?.(entry.key);
    }
    entry.request.settle(reply);
  }

  #sweepLater(): void {
    this.#sweep ??= setTimeout(() => {
      this.#sweep = undefined;
      this.#sweepNow();
    }, SWEEP_EVERY_MS);
  }

  /** Gives up what waits in vain, and answers for sessions that take longer than anybody waits. */
  #sweepNow(): void {
    const nowMs = performance.now();
    const swept = this.#queue.sweep((entry) => {
      const { request: { connection, deadlineMs }, sinceMs } = entry;
      return !connection.aborted && nowMs < deadlineMs && nowMs - sinceMs < this.#options.waitMs;
    });
    for (const entry of swept) {
      this.#waitingMs -= entry.costMs;
      this.#isGivenUp(entry, nowMs);
    }
    let isBusy = this.#queue.length > 0;
    for (const { entries } of this.#sessions.values()) {
      isBusy ||= entries.length > 0;
      for (const entry of entries) {
        if (entry.isSettled || nowMs < entry.request.deadlineMs) continue;
        this.#settle(entry, replyOf("HSM_BUSY", "the token has not answered in time"));
      }
    }
    if (isBusy) this.#sweepLater();
  }
}

/** The reply for what was not made. */
export function replyOf(outcome: Exclude<Outcome, "made">, message: string): SessionReply {
  return { outcome, bytes: new TextEncoder().encode(message) };
}

interface Entry {
  readonly request: TokenRequest;
  readonly toSend: SessionRequest;
  readonly connection: object;
  readonly key: number;
  readonly costMs: number;
  readonly roomBytes: number;
  /** When it began to wait. */
  sinceMs: number;
  isRetried: boolean;
  isSettled: boolean;
}

interface Held {
  readonly session: QueueSession;
  /** In the order in which it answers. */
  readonly entries: Entry[];
  /** What they take together. */
  heldMs: number;
  /** When it answered last, or was given something while it was idle. */
  sinceMs: number;
}

function hasRoom({ entries, heldMs }: Held): boolean {
  return entries.length === 0 || heldMs < ENOUGH_MS || (entries.length === 1 && heldMs < LONG_MS);
}

function give(held: Held, entries: readonly Entry[], nowMs: number): void {
  if (held.entries.length === 0) held.sinceMs = nowMs;
  for (const entry of entries) {
    held.entries.push(entry);
    held.heldMs += entry.costMs;
  }
  held.session.request(entries.map(({ toSend }) => toSend));
}

/** A session is at work with so much until the next comes. */
const ENOUGH_MS = 4;
/** It has a second request beside one that takes less than this: else that would wait for it. */
const LONG_MS = 20;
/** Of a connection for one key, in one frame. */
const TURN_LIMITS = { entries: 16, bytes: 65_536 } as const;
/** Waits and deadlines are kept to within this. */
const SWEEP_EVERY_MS = 100;
