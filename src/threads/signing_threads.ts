import { Worker } from "node:worker_threads";
import { SharedCounters } from "./shared_counters.ts";
import { Signals, THREAD_STATE } from "./signals.ts";
import { SIGNING_COUNTERS, type SigningMemory } from "./signing_memory.ts";
import type { SigningThreadData } from "./signing_thread.ts";
import { Turns } from "./turns.ts";
import { WorkerSet } from "./worker_set.ts";

export interface SigningThreadsOptions {
  /** Told when a thread has died, and is replaced. */
  readonly onDeath?: ((why: string) => void) | undefined;
  readonly startWorker?: (data: SigningThreadData) => Worker;
}

/**
 * Threads that compute with keys of this process, by their addresses, for all event loops that have
 * a `SigningQueue` over the same memory. A thread that dies is replaced.
 */
export class SigningThreads {
  /** What event loops make their queues over. */
  readonly memory: SigningMemory;
  readonly #signals: Signals;
  readonly #turns: Turns;
  readonly #set: WorkerSet;

  /** Starts as many threads as the memory is made for. */
  constructor(memory: SigningMemory, options: SigningThreadsOptions = {}) {
    this.memory = memory;
    this.#signals = new Signals(memory);
    this.#turns = new Turns(memory);
    const { startWorker = startSigningThread, onDeath } = options;
    this.#set = new WorkerSet({
      count: memory.threads,
      start: (place) => startWorker({ memory, place }),
      onStart: (_id, _worker, place) => this.#started(place),
      onEnd: (_id, place) => this.#ended(place),
      onDeath,
    });
  }

  /** How many run, and how many have died so far. */
  load(): { readonly threads: number; readonly deaths: number } {
    return { threads: this.#set.workers.size, deaths: this.#set.deaths };
  }

  /** An event loop has ended without closing its queue: nothing is signed for it any more. */
  loopEnded(loop: number): void {
    const first = loop * this.#turns.each;
    for (let turn = first; turn < first + this.#turns.each; turn++) this.#turns.reclaim(turn);
    new SharedCounters(SIGNING_COUNTERS, this.memory.counters, loop).clear();
    this.#signals.ringThreads(); // it may have called one for a turn, and not rung
  }

  /**
   * Ends the threads: each after the turn in its hands, so that no key is in use when this resolves.
   * What waits behind it is not answered.
   */
  stop(): Promise<void> {
    this.#signals.stopThreads();
    return this.#set.stop(() => {});
  }

  /** Loops hand out as much as there are threads. */
  #started(place: number): void {
    this.#signals.threadStarted(place);
    this.#signals.ringLoops();
  }

  #ended(place: number): void {
    this.#signals.setThread(place, THREAD_STATE.ABSENT);
    this.#turns.lose(place);
    this.#signals.ringLoops();
    while (this.#signals.callThread()); // it may have been called for a turn, and not heard it
  }
}

/** The executable holds the thread's file beside the program (`scripts/build.sh`). */
function startSigningThread(workerData: SigningThreadData): Worker {
  return new Worker(new URL("./signing_thread.ts", import.meta.url), { workerData });
}
