import { setTimeout as sleep } from "node:timers/promises";

/**
 * Work that is done once for all who ask while it waits to begin, and never twice at a time. Between
 * two runs there is as long a pause as the first one took: whoever asks without end takes half of the
 * event loop at most.
 */
export class SharedWork<Result> {
  readonly #work: () => Promise<Result>;
  #running: Promise<unknown> = Promise.resolve();
  #waiting: Promise<Result> | undefined;
  #restUntilMs = 0;

  constructor(work: () => Promise<Result>) {
    this.#work = work;
  }

  /** The result of a run that begins after this call; rejects as the work does. */
  result(): Promise<Result> {
    this.#waiting ??= this.#next();
    return this.#waiting;
  }

  async #next(): Promise<Result> {
    await this.#running;
    const restMs = this.#restUntilMs - performance.now();
    if (restMs > 0) await sleep(restMs);
    this.#waiting = undefined;
    const startMs = performance.now();
    const run = this.#work();
    this.#running = run.then(() => {}, () => {}).then(() => {
      const endMs = performance.now();
      this.#restUntilMs = endMs + (endMs - startMs);
    });
    return await run;
  }
}
