import { afterOthers } from "../runtime/turn.ts";
import type { SharedCounters } from "./shared_counters.ts";
import { Signals } from "./signals.ts";
import type { SigningCounter, SigningMemory } from "./signing_memory.ts";
import { type ThreadReply, type ThreadRequest, TURN, Turns } from "./turns.ts";

/** What a thread carries out, as its event loop knows it. */
export interface Outstanding {
  readonly request: ThreadRequest;
  readonly costMs: number;
}

/** What has come back of the turns that were handed out. */
export interface Returned<Entry> {
  readonly answered: readonly (readonly [entry: Entry, reply: ThreadReply])[];
  /** The thread that had them has ended. */
  readonly lost: readonly Entry[];
}

/**
 * An event loop's own turns: what signing threads have of it, or will have next. That is as much as
 * keeps the threads at work, and no more: what is handed out is not queued fairly any more.
 */
export class LoopTurns<Entry extends Outstanding> {
  readonly #loop: number;
  readonly #signals: Signals;
  readonly #turns: Turns;
  readonly #counters: SharedCounters<SigningCounter>;
  readonly #onRing: () => void;
  /** By a turn's place among the loop's own; undefined for one that is free. */
  readonly #held: (readonly Entry[] | undefined)[];
  #heldMs = 0;
  #nextNumber = 0;
  #isClosed = false;

  /**
   * @param loop the place, and that of the counters; whoever had it before has ended
   * @param onRing called when turns have returned, and when threads have come or gone; see `listen`
   */
  constructor(
    memory: SigningMemory,
    loop: number,
    counters: SharedCounters<SigningCounter>,
    onRing: () => void,
  ) {
    this.#loop = loop;
    this.#signals = new Signals(memory);
    this.#turns = new Turns(memory);
    this.#counters = counters;
    this.#onRing = onRing;
    this.#held = Array.from({ length: this.#turns.each }, (_, place) => this.#takeOver(place));
  }

  /** Requests that threads have, or will have next. */
  get length(): number {
    return this.#held.reduce((sum, entries) => sum + (entries?.length ?? 0), 0);
  }

  /** Whether threads would run out of work without another turn. */
  get hasRoom(): boolean {
    const turns = this.#counters.own("turns");
    const threads = this.#signals.running * this.#share();
    if (threads === 0 || turns === this.#turns.each) return false;
    return turns < threads || this.#heldMs < threads * ENOUGH_MS ||
      (turns < threads * 2 && this.#heldMs < threads * LONG_MS);
  }

  /**
   * Hands a turn out; there must be room. One of a key that threads have nothing of overtakes others:
   * who asks for it should not wait for what was handed out of a key that is asked for much.
   */
  give(entries: readonly Entry[]): void {
    const requests = entries.map(({ request }) => request);
    const { address } = requests[0]!;
    const isRare = this.#held.every((held) => held?.[0]?.request.address !== address);
    const place = this.#held.indexOf(undefined);
    this.#held[place] = entries;
    for (const { costMs } of entries) this.#heldMs += costMs;
    this.#counters.add("turns", 1);
    this.#nextNumber = (this.#nextNumber + 1) | 0;
    const number = isRare ? this.#nextNumber : (this.#nextNumber + MAX_OVERTAKERS) | 0;
    this.#turns.publish(this.#turnAt(place), number, requests);
    this.#signals.callThread();
  }

  /** Takes in what has returned. */
  collect(): Returned<Entry> {
    const answered: [Entry, ThreadReply][] = [];
    const lost: Entry[] = [];
    for (const [place, entries] of this.#held.entries()) {
      if (entries === undefined) continue;
      const turn = this.#turnAt(place);
      const state = this.#turns.state(turn);
      if (state !== TURN.DONE && state !== TURN.LOST) continue;
      if (state === TURN.LOST) lost.push(...entries);
      else {
        const replies = this.#turns.replies(turn);
        for (const [index, entry] of entries.entries()) answered.push([entry, replies[index]!]);
      }
      this.#turns.free(turn, state);
      this.#release(place);
    }
    return { answered, lost };
  }

  /** Takes turns back that no thread has begun, and that hold an entry which is not wanted. */
  withdraw(isWanted: (entry: Entry) => boolean): readonly Entry[] {
    const withdrawn: Entry[] = [];
    for (const [place, entries] of this.#held.entries()) {
      if (entries === undefined || entries.every(isWanted)) continue;
      if (!this.#turns.free(this.#turnAt(place), TURN.READY)) continue;
      withdrawn.push(...entries);
      this.#release(place);
    }
    return withdrawn;
  }

  /** Listens no more: for when nothing is handed out. */
  close(): void {
    this.#isClosed = true;
    this.#signals.ringLoop(this.#loop);
  }

  /** Calls `onRing`, now and each time that it shall be called, until `close`. */
  listen(): void {
    if (this.#isClosed) return;
    const bell = this.#signals.nextLoopBell(this.#loop);
    this.#onRing();
    const rung = this.#signals.waitForLoopBell(bell);
    if (rung === undefined) afterOthers(() => this.listen());
    else rung.then(() => this.listen());
  }

  /** A turn that a thread still has for the loop's predecessor returns to nobody. */
  #takeOver(place: number): readonly Entry[] | undefined {
    if (this.#turns.reclaim(this.#turnAt(place))) return undefined;
    this.#counters.add("turns", 1);
    return [];
  }

  #release(place: number): void {
    for (const { costMs } of this.#held[place]!) this.#heldMs -= costMs;
    this.#held[place] = undefined;
    this.#counters.add("turns", -1);
    if (this.#counters.own("turns") === 0) this.#heldMs = 0; // nothing adds up over time
  }

  /** What part of the connections that wait, on all loops, are this one's. */
  #share(): number {
    return this.#counters.own("connections") / Math.max(1, this.#counters.sum("connections"));
  }

  #turnAt(place: number): number {
    return this.#loop * this.#turns.each + place;
  }
}

/** So many turns that were handed out later may be taken before one. */
const MAX_OVERTAKERS = 16;
/** So much is handed out for each thread: it is at work until the next comes. */
const ENOUGH_MS = 2;
/** A thread has a second turn beside one that takes less than this: else that would wait for it. */
const LONG_MS = 20;
