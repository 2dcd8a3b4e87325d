import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { describe, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { WorkerSet, type WorkerSetOptions } from "../../src/threads/worker_set.ts";

/** A worker that the test plays itself. */
class FakeWorker extends EventEmitter {
  readonly place: number;

  constructor(place: number) {
    super();
    this.place = place;
  }

  die(why?: string): void {
    if (why !== undefined) this.emit("error", new Error(why));
    this.emit("exit", 1);
  }
}

/** A set of such workers, and what it tells of them. */
class Fixture {
  /** In the order in which they were started. */
  readonly started: FakeWorker[] = [];
  readonly events: string[] = [];
  readonly delays: number[] = [];
  readonly set: WorkerSet;
  #onStart: (() => void) | undefined;

  constructor(count: number, options: Partial<WorkerSetOptions> = {}) {
    this.set = new WorkerSet({
      count,
      start: (place) => {
        const worker = new FakeWorker(place);
        this.started.push(worker);
        this.#onStart?.();
        return worker as unknown as Worker;
      },
      onStart: (id, _worker, place) => this.events.push(`${id} starts in ${place}`),
      onEnd: (id, place) => this.events.push(`${id} ends in ${place}`),
      onDeath: (why, delayMs, place) => {
        this.events.push(`${place}: ${why}`);
        this.delays.push(delayMs);
      },
      ...options,
    });
  }

  async reached(count: number): Promise<void> {
    while (this.started.length < count) {
      await new Promise<void>((resolve) => this.#onStart = resolve);
    }
  }
}

describe("a set of workers", () => {
  test("has one in each place", () => {
    const fixture = new Fixture(3);
    assert.deepEqual(fixture.started.map(({ place }) => place), [0, 1, 2]);
    assert.deepEqual([...fixture.set.workers.keys()], [0, 1, 2]);
    assert.equal(fixture.set.deaths, 0);
  });

  test("replaces one that dies in its place, and tells why", async () => {
    const fixture = new Fixture(2);
    fixture.started[1]!.die("out of luck");
    assert.deepEqual([...fixture.set.workers.keys()], [0]);
    await fixture.reached(3);
    fixture.started[0]!.die();
    assert.deepEqual(fixture.events, [
      ...["0 starts in 0", "1 starts in 1"],
      ...["1 ends in 1", "1: out of luck", "2 starts in 1"],
      ...["0 ends in 0", "0: it ended with exit code 1"],
    ]);
    assert.equal(fixture.set.deaths, 2);
  });

  test("starts one that dies again and again ever later, and the others at once", async () => {
    const fixture = new Fixture(2);
    for (let deaths = 0; deaths < 3; deaths++) {
      fixture.started.findLast(({ place }) => place === 0)!.die();
      await fixture.reached(3 + deaths);
    }
    fixture.started[1]!.die();
    assert.deepEqual(fixture.delays, [50, 100, 200, 50]);
  });

  test("tries again where the system cannot start one", async () => {
    let attempts = 0;
    const fixture = new Fixture(1, {
      start: (place) => {
        attempts += 1;
        if (attempts < 3) throw new Error("no thread is left");
        return new FakeWorker(place) as unknown as Worker;
      },
    });
    assert.equal(fixture.set.workers.size, 0);
    while (fixture.set.workers.size === 0) await nextTurn();
    assert.deepEqual(fixture.events, [
      ...["0: no thread is left", "0: no thread is left"],
      "2 starts in 0",
    ]);
    assert.equal(fixture.set.deaths, 2);
  });

  test("stops when all have ended, however often it is told to, and replaces none", async () => {
    const fixture = new Fixture(3);
    fixture.started[0]!.die(); // its replacement waits
    const asked: Worker[] = [];
    const stopped = fixture.set.stop((worker) => asked.push(worker));
    const again = fixture.set.stop((worker) => asked.push(worker));
    assert.deepEqual(asked, fixture.started.slice(1));
    let isStopped = false;
    stopped.then(() => isStopped = true);
    fixture.started[1]!.die();
    await nextTurn();
    assert.equal(isStopped, false);
    fixture.started[2]!.die();
    await Promise.all([stopped, again, fixture.set.stop(() => {})]);
    assert.equal(fixture.started.length, 3);
    assert.equal(fixture.set.deaths, 1);
  });

  test("without a worker is stopped at once", async () => {
    await new Fixture(0).set.stop(() => assert.fail());
  });
});

test("workers of the runtime that throw, or exit, are replaced, and the process lives on", {
  timeout: 10_000,
}, async () => {
  const deaths: string[] = [];
  const replaced = Promise.withResolvers<void>();
  const obedient = new URL("../support/obedient_worker.ts", import.meta.url);
  const set = new WorkerSet({
    count: 2,
    start: () => new Worker(obedient),
    onStart: (id, worker, place) => {
      if (id < 2) worker.postMessage(place === 0 ? "throw" : "exit");
      if (id === 3) replaced.resolve();
    },
    onDeath: (why) => deaths.push(why),
  });
  await replaced.promise;
  assert.deepEqual(deaths.toSorted(), ["it ended with exit code 7", "told to throw"]);
  assert.equal(set.workers.size, 2);
  await set.stop((worker) => worker.postMessage("exit"));
  assert.equal(set.workers.size, 0);
});
