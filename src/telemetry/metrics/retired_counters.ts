import { joinSnapshots } from "./join.ts";
import type { MetricSnapshot } from "./registry.ts";

/**
 * The metrics of every worker that runs, by a number that no other worker ever has; undefined where it
 * did not answer. One that is left out has ended, and never comes back.
 */
export type WorkerSnapshots = ReadonlyMap<number, readonly MetricSnapshot[] | undefined>;

/**
 * Remembers what workers have counted: a counter that is joined of all of them shall not go back when
 * one ends, or does not answer. What a worker counts between its last answer and its end is lost.
 */
export class RetiredCounters {
  readonly #last = new Map<number, readonly MetricSnapshot[]>();
  #ended: readonly MetricSnapshot[] = [];

  /**
   * What is to be joined: what the workers say, and the last counters of those that do not answer or
   * have ended. To be called for one scrape after the other.
   */
  async parts(workers: WorkerSnapshots): Promise<readonly (readonly MetricSnapshot[])[]> {
    for (const [worker, last] of this.#last) {
      if (workers.has(worker)) continue;
      this.#last.delete(worker);
      this.#ended = await joinSnapshots([this.#ended, last]);
    }
    const silent = [...workers].filter(([, metrics]) => metrics === undefined);
    const answers = [...workers.values()].filter((metrics) => metrics !== undefined);
    for (const [worker, metrics] of workers) {
      if (metrics !== undefined) this.#last.set(worker, metrics.filter(counts));
    }
    return [...answers, ...silent.map(([worker]) => this.#last.get(worker) ?? []), this.#ended];
  }
}

/** A gauge of a worker that is gone says nothing any more. */
function counts({ type }: MetricSnapshot): boolean {
  return type !== "gauge";
}
