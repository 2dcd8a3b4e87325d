import { Worker } from "node:worker_threads";

/** What a timer and its thread share. */
export interface TimerMemory {
  /** IDLE, ASKED or END; the thread waits for a change. */
  readonly asked: Int32Array;
  readonly sleepMs: Float64Array;
}

/**
 * A timer for fractions of a millisecond. Those of the runtimes count whole ones, and on Deno they
 * are late by up to forty; a thread that sleeps for us is late by a tenth, and this one's event loop
 * goes on reading meanwhile.
 */
export class FineTimer {
  readonly #memory: TimerMemory = {
    asked: new Int32Array(new SharedArrayBuffer(4)),
    sleepMs: new Float64Array(new SharedArrayBuffer(8)),
  };
  readonly #thread: Worker;
  readonly #wake: () => void;

  /** @param wake called after each sleep */
  constructor(wake: () => void) {
    this.#wake = wake;
    const thread = new URL("./timer_thread.ts", import.meta.url);
    this.#thread = new Worker(thread, { workerData: this.#memory });
  }

  /** Resolves when its thread runs. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#thread.on("error", reject);
      this.#thread.on("message", (message: "ready" | "awake") => {
        if (message === "ready") resolve();
        else this.#wake();
      });
    });
  }

  /** One sleep at a time. */
  sleep(milliseconds: number): void {
    this.#memory.sleepMs[0] = milliseconds;
    this.#tell(ASKED);
  }

  /** Ends the thread; a sleep that was begun may still wake. */
  stop(): void {
    this.#tell(END);
  }

  #tell(what: number): void {
    Atomics.store(this.#memory.asked, 0, what);
    Atomics.notify(this.#memory.asked, 0);
  }
}

export const IDLE = 0;
export const ASKED = 1;
export const END = 2;
