import { Worker } from "node:worker_threads";
import { KeylessError, messageOf } from "../errors/errors.ts";
import type { ConnectReport, Interval, Order, Report, ThreadEnd, ThreadPlan } from "./messages.ts";

export interface ThreadsObserver {
  /** All connections are made: the warm-up begins. */
  begun(): void;
  connected(connects: ConnectReport): void;
  interval(thread: number, interval: Interval): void;
}

/**
 * Runs the load, a thread for each plan: all make their connections, then all begin at once. Aborted
 * by the signal, each waits a moment for its last answers. Where the target is gone for one thread,
 * all stop.
 *
 * @returns why it ended early; undefined where it did not, or the signal was the reason
 * @throws KeylessError as `dial`, where a connection could not be made at the start; "ABORTED"
 *   where the signal comes before the load
 */
export async function runThreads(
  plans: readonly ThreadPlan[],
  observer: ThreadsObserver,
  signal: AbortSignal,
): Promise<ThreadEnd | undefined> {
  const threads = plans.map((plan, at) => new ClientThread(plan, at, observer));
  const tellAll = (order: Order) => threads.forEach((thread) => thread.tell(order));
  const stop = () => tellAll("stop");
  try {
    await Promise.race([Promise.all(threads.map(({ ready }) => ready)), aborted(signal)]);
    if (signal.aborted) throw new KeylessError("ABORTED", "it was ended before the load began");
    signal.addEventListener("abort", stop);
    observer.begun();
    tellAll("go");
    const ends = await Promise.all(threads.map(async ({ done }) => {
      const end = await done;
      if (end !== undefined) stop();
      return end;
    }));
    return ends.find((end) => end !== undefined);
  } finally {
    signal.removeEventListener("abort", stop);
    await Promise.all(threads.map((thread) => thread.terminate()));
  }
}

class ClientThread {
  readonly ready: Promise<void>;
  readonly done: Promise<ThreadEnd | undefined>;
  readonly #worker: Worker;

  constructor(plan: ThreadPlan, index: number, observer: ThreadsObserver) {
    const ready = Promise.withResolvers<void>();
    const done = Promise.withResolvers<ThreadEnd | undefined>();
    this.ready = ready.promise;
    this.done = done.promise;
    done.promise.catch(() => {}); // `ready` tells the same
    const fail = (error: KeylessError) => {
      ready.reject(error);
      done.reject(error);
    };
    this.#worker = new Worker(new URL("./client_thread.ts", import.meta.url), { workerData: plan });
    this.#worker.on("error", (error) => fail(defect(messageOf(error))));
    this.#worker.on("exit", () => fail(defect("it ended by itself")));
    this.#worker.on("message", (report: Report) => {
      if (report.kind === "interval") return observer.interval(index, report.interval);
      if (report.kind === "done") return done.resolve(report.endedEarly);
      if (report.kind === "refused") return fail(new KeylessError(report.code, report.message));
      observer.connected(report.connects);
      ready.resolve();
    });
  }

  tell(order: Order): void {
    this.#worker.postMessage(order);
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true })
  );
}

function defect(what: string): KeylessError {
  return new KeylessError("INTERNAL", `a client thread failed: ${what}`);
}
