import { availableParallelism } from "node:os";
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import { messageOf } from "../errors/errors.ts";
import type { ThreadOrder } from "./signing_thread.ts";

/** An event loop's side of the signing threads: told when a thread comes or goes. */
export interface ThreadUser {
  /** Owns the port: it leads to the thread, which takes batches and answers them in order. */
  threadStarted(id: number, port: MessagePort): void;
  /** What the thread had not answered never will be; it uses no key any more. */
  threadEnded(id: number): void;
}

export interface SigningThreadsOptions {
  readonly count?: number;
  /** Told when a thread has died, and is replaced. */
  readonly onDeath?: (why: string) => void;
  readonly startWorker?: () => Worker;
}

/**
 * Threads that compute with keys of this process, by their addresses. There is a channel from every
 * user to every thread. A thread that dies is replaced at once; one that dies young, a little later
 * each time.
 */
export class SigningThreads {
  readonly #options: SigningThreadsOptions;
  readonly #threads = new Map<number, Worker>();
  readonly #users: ThreadUser[] = [];
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  #nextId = 0;
  #deaths = 0;
  #isStopping = false;
  #stopped: (() => void) | undefined;

  constructor(options: SigningThreadsOptions = {}) {
    this.#options = options;
    const { count = availableParallelism() } = options;
    for (let index = 0; index < count; index++) this.#start(FIRST_BACKOFF_MS);
  }

  /** How many run, and how many have died so far. */
  load(): { readonly threads: number; readonly deaths: number } {
    return { threads: this.#threads.size, deaths: this.#deaths };
  }

  /** From here on the user has a channel to every thread. */
  attach(user: ThreadUser): void {
    this.#users.push(user);
    for (const [id, worker] of this.#threads) connect(user, id, worker);
  }

  /**
   * Ends the threads: each after the batch in its hands, so that no key is in use when this resolves.
   * What waits behind it is not answered.
   */
  async stop(): Promise<void> {
    this.#isStopping = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const worker of this.#threads.values()) order(worker, { stop: true });
    if (this.#threads.size > 0) await new Promise<void>((resolve) => this.#stopped = resolve);
  }

  #start(backoffMs: number): void {
    const id = this.#nextId++;
    const startedMs = performance.now();
    const { startWorker = startSigningThread } = this.#options;
    const worker = startWorker();
    let why = "it ended";
    this.#threads.set(id, worker);
    worker.on("error", (error) => why = messageOf(error)); // on Bun it would end the process
    worker.once("exit", () => {
      this.#threads.delete(id);
      for (const user of this.#users) user.threadEnded(id);
      if (!this.#isStopping) this.#replace(performance.now() - startedMs, backoffMs, why);
      else if (this.#threads.size === 0) this.#stopped?.();
    });
    for (const user of this.#users) connect(user, id, worker);
  }

  #replace(livedMs: number, backoffMs: number, why: string): void {
    this.#deaths += 1;
    this.#options.onDeath?.(why);
    if (livedMs >= OLD_MS) return this.#start(FIRST_BACKOFF_MS);
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#start(Math.min(backoffMs * 2, MAX_BACKOFF_MS));
    }, backoffMs);
    this.#timers.add(timer);
  }
}

/** The executable holds the thread's file beside the program (`scripts/build.sh`). */
function startSigningThread(): Worker {
  return new Worker(new URL("./signing_thread.ts", import.meta.url));
}

function connect(user: ThreadUser, id: number, worker: Worker): void {
  const { port1, port2 } = new MessageChannel();
  order(worker, { port: port1 }, [port1]);
  user.threadStarted(id, port2);
}

function order(worker: Worker, what: ThreadOrder, transfer: readonly MessagePort[] = []): void {
  worker.postMessage(what, transfer);
}

const FIRST_BACKOFF_MS = 50;
const MAX_BACKOFF_MS = 5_000;
/** A thread that has lived so long did not die of how it was started. */
const OLD_MS = 10_000;
