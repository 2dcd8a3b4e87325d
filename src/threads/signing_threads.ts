import { availableParallelism } from "node:os";
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import type { ThreadOrder } from "./signing_thread.ts";
import { WorkerSet } from "./worker_set.ts";

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
  readonly onDeath?: ((why: string) => void) | undefined;
  readonly startWorker?: () => Worker;
}

/**
 * Threads that compute with keys of this process, by their addresses. There is a channel from every
 * user to every thread. A thread that dies is replaced.
 */
export class SigningThreads {
  readonly #users: ThreadUser[] = [];
  readonly #set: WorkerSet;

  constructor(options: SigningThreadsOptions = {}) {
    this.#set = new WorkerSet({
      count: options.count ?? availableParallelism(),
      start: options.startWorker ?? startSigningThread,
      onStart: (id, worker) => {
        for (const user of this.#users) connect(user, id, worker);
      },
      onEnd: (id) => {
        for (const user of this.#users) user.threadEnded(id);
      },
      onDeath: options.onDeath,
    });
  }

  /** How many run, and how many have died so far. */
  load(): { readonly threads: number; readonly deaths: number } {
    return { threads: this.#set.workers.size, deaths: this.#set.deaths };
  }

  /** From here on the user has a channel to every thread. */
  attach(user: ThreadUser): void {
    this.#users.push(user);
    for (const [id, worker] of this.#set.workers) connect(user, id, worker);
  }

  /** The user is gone, and with it its ends of the channels. */
  detach(user: ThreadUser): void {
    this.#users.splice(this.#users.indexOf(user), 1);
  }

  /**
   * Ends the threads: each after the batch in its hands, so that no key is in use when this resolves.
   * What waits behind it is not answered.
   */
  stop(): Promise<void> {
    return this.#set.stop((worker) => order(worker, { stop: true }));
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
