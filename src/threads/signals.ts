import type { SigningMemory } from "./signing_memory.ts";

/** What a signing thread does: nothing, as it does not run; it waits for work; it works, or looks. */
export const THREAD_STATE = { ABSENT: 0, IDLE: 1, BUSY: 2 } as const;
export type ThreadState = (typeof THREAD_STATE)[keyof typeof THREAD_STATE];

/** A number that changes when there may be something to do, as it was read. */
export interface Bell {
  readonly at: number;
  readonly read: number;
}

/**
 * How event loops and signing threads wake each other, and what the threads do.
 *
 * Whoever waits reads a bell first, then looks for something to do, and then waits for the bell to
 * change: so nothing is missed that comes in between.
 */
export class Signals {
  readonly #loops: number;
  readonly #threads: number;
  /** Whether the threads are to end; which of its bells a loop uses, and these; of each thread. */
  readonly #words: Int32Array;

  constructor({ loops, threads, signals }: Pick<SigningMemory, "loops" | "threads" | "signals">) {
    this.#loops = loops;
    this.#threads = threads;
    this.#words = new Int32Array(signals);
  }

  ringLoop(loop: number): void {
    const at = wordOfLoop(loop) + 1 + Atomics.load(this.#words, wordOfLoop(loop));
    this.#ring(at);
  }

  ringLoops(): void {
    for (let loop = 0; loop < this.#loops; loop++) this.ringLoop(loop);
  }

  /**
   * The loop's bell from here on, another one than before: while a thread rings a bell, Bun keeps
   * others from waiting for it, and a thread of low priority may be held up in the middle of that.
   */
  nextLoopBell(loop: number): Bell {
    const word = wordOfLoop(loop);
    const bell = (Atomics.load(this.#words, word) + 1) % BELLS_OF_LOOP;
    Atomics.store(this.#words, word, bell);
    return this.#read(word + 1 + bell);
  }

  /**
   * Resolves when the bell has rung since it was read; undefined where it has already. Waiting keeps
   * no process alive.
   */
  waitForLoopBell({ at, read }: Bell): Promise<unknown> | undefined {
    const { async, value } = Atomics.waitAsync(this.#words, at, read);
    return async ? value : undefined;
  }

  /**
   * Wakes a thread that is idle: those that are busy will look by themselves.
   *
   * @returns false where none is idle
   */
  callThread(): boolean {
    const { IDLE, BUSY } = THREAD_STATE;
    for (let place = 0; place < this.#threads; place++) {
      const at = this.#wordOfThread(place);
      if (Atomics.compareExchange(this.#words, at, IDLE, BUSY) !== IDLE) continue;
      this.#ring(at + 1);
      return true;
    }
    return false;
  }

  threadBell(place: number): Bell {
    return this.#read(this.#wordOfThread(place) + 1);
  }

  /** Blocks the thread until its bell has rung since it was read. */
  waitForThreadBell({ at, read }: Bell): void {
    Atomics.wait(this.#words, at, read);
  }

  /** Counts a thread as BUSY that has not told what it does itself: it looks for work first. */
  threadStarted(place: number): void {
    const { ABSENT, BUSY } = THREAD_STATE;
    Atomics.compareExchange(this.#words, this.#wordOfThread(place), ABSENT, BUSY);
  }

  setThread(place: number, state: ThreadState): void {
    Atomics.store(this.#words, this.#wordOfThread(place), state);
  }

  /** How many threads run. */
  get running(): number {
    return this.#threads - this.#count(THREAD_STATE.ABSENT);
  }

  /** How many threads have something to do. */
  get busy(): number {
    return this.#count(THREAD_STATE.BUSY);
  }

  /** Whether the threads are to end. */
  get isStopping(): boolean {
    return Atomics.load(this.#words, IS_STOPPING) === 1;
  }

  stopThreads(): void {
    Atomics.store(this.#words, IS_STOPPING, 1);
    this.ringThreads();
  }

  /** Wakes all threads, whatever they seem to do. */
  ringThreads(): void {
    for (let place = 0; place < this.#threads; place++) this.#ring(this.#wordOfThread(place) + 1);
  }

  #count(state: ThreadState): number {
    let count = 0;
    for (let place = 0; place < this.#threads; place++) {
      if (Atomics.load(this.#words, this.#wordOfThread(place)) === state) count += 1;
    }
    return count;
  }

  #read(at: number): Bell {
    return { at, read: Atomics.load(this.#words, at) };
  }

  #ring(at: number): void {
    Atomics.add(this.#words, at, 1);
    Atomics.notify(this.#words, at);
  }

  /** Its state; its bell is the next. */
  #wordOfThread(place: number): number {
    return wordOfLoop(this.#loops) + place * WORDS_OF_THREAD;
  }
}

export function signalMemory(loops: number, threads: number): SharedArrayBuffer {
  const words = wordOfLoop(loops) + threads * WORDS_OF_THREAD;
  return new SharedArrayBuffer(words * Int32Array.BYTES_PER_ELEMENT);
}

/** Which of the loop's bells it uses; these are the next. */
function wordOfLoop(loop: number): number {
  return 1 + loop * (1 + BELLS_OF_LOOP);
}

const IS_STOPPING = 0;
const BELLS_OF_LOOP = 64;
const WORDS_OF_THREAD = 2;
