import type { Worker } from "node:worker_threads";
import { messageOf } from "../errors/errors.ts";

/** What can be replaced when it dies: a Worker, or a child process. */
export interface Replaceable {
  on(event: "error", listener: (error: Error) => void): unknown;
  once(event: "exit", listener: (code?: number) => void): unknown;
}

export interface WorkerSetOptions<Member extends Replaceable = Worker> {
  readonly count: number;
  /** Starts the worker of a place; called again for its replacement, and after it has thrown. */
  readonly start: (place: number) => Member;
  /** A worker runs from here on; `id` is never used again. */
  readonly onStart?: (id: number, worker: Member, place: number) => void;
  /** It runs no more, and its sockets are closed. */
  readonly onEnd?: (id: number, place: number) => void;
  /** It has ended though nobody wanted it to, or did not start; it is replaced `delayMs` later. */
  readonly onDeath?: ((why: string, delayMs: number, place: number) => void) | undefined;
}

/**
 * Workers, each in its place, from 0. One that dies is replaced: at once if it has lived for a while,
 * else a little later each time, so that one that cannot run does not take a core.
 */
export class WorkerSet<Member extends Replaceable = Worker> {
  readonly #options: WorkerSetOptions<Member>;
  readonly #workers = new Map<number, Member>();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  readonly #emptied = Promise.withResolvers<void>();
  #nextId = 0;
  #deaths = 0;
  #isStopping = false;

  constructor(options: WorkerSetOptions<Member>) {
    this.#options = options;
    for (let place = 0; place < options.count; place++) this.#start(place, FIRST_DELAY_MS);
  }

  /** Those that run. */
  get workers(): ReadonlyMap<number, Member> {
    return this.#workers;
  }

  /** How many have died so far. */
  get deaths(): number {
    return this.#deaths;
  }

  /**
   * Asks each worker to end, and waits until all have; none is replaced from here on. What is called
   * again waits as well, and asks nobody.
   *
   * @param end asks one; it may be called for a worker that is ending already
   */
  stop(end: (worker: Member) => void): Promise<void> {
    if (!this.#isStopping) {
      this.#isStopping = true;
      for (const timer of this.#timers) clearTimeout(timer);
      for (const worker of this.#workers.values()) end(worker);
      if (this.#workers.size === 0) this.#emptied.resolve();
    }
    return this.#emptied.promise;
  }

  #start(place: number, delayMs: number): void {
    const id = this.#nextId++;
    const startedMs = performance.now();
    const { start, onStart, onEnd } = this.#options;
    let worker: Member;
    try {
      worker = start(place);
    } catch (thrown) { // the system has no thread left
      return this.#replace(place, 0, delayMs, messageOf(thrown));
    }
    let why: string | undefined;
    this.#workers.set(id, worker);
    worker.on("error", (error) => why = messageOf(error)); // on Bun it would end the process
    worker.once("exit", (code) => {
      this.#workers.delete(id);
      onEnd?.(id, place);
      if (!this.#isStopping) {
        why ??= `it ended with exit code ${code}`;
        this.#replace(place, performance.now() - startedMs, delayMs, why);
      } else if (this.#workers.size === 0) this.#emptied.resolve();
    });
    onStart?.(id, worker, place);
  }

  #replace(place: number, livedMs: number, lastDelayMs: number, why: string): void {
    this.#deaths += 1;
    const delayMs = livedMs >= OLD_MS ? 0 : lastDelayMs;
    this.#options.onDeath?.(why, delayMs, place);
    const nextDelayMs = livedMs >= OLD_MS
      ? FIRST_DELAY_MS
      : Math.min(lastDelayMs * 2, MAX_DELAY_MS);
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#start(place, nextDelayMs);
    }, delayMs);
    this.#timers.add(timer);
  }
}

const FIRST_DELAY_MS = 50;
const MAX_DELAY_MS = 5_000;
/** A worker that has lived so long did not die of how it was started. */
const OLD_MS = 10_000;
