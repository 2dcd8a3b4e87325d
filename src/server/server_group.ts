import { Worker } from "node:worker_threads";
import { KeylessError } from "../errors/errors.ts";
import { HsmDesk } from "../hsm/hsm_desk.ts";
import type { HsmStore } from "../hsm/hsm_store.ts";
import type { Log } from "../telemetry/log.ts";
import type { CpuProfile } from "../telemetry/profiles/cpu_profile.ts";
import type { HeapType } from "../telemetry/profiles/heap_profile.ts";
import type { Profiled } from "../telemetry/profiles/profiled.ts";
import type { MetricSnapshot } from "../telemetry/metrics/registry.ts";
import type { WorkerSnapshots } from "../telemetry/metrics/retired_counters.ts";
import type { WorkerGauges } from "../telemetry/server_gauges.ts";
import type { ConnectionObserver } from "../telemetry/server_metrics.ts";
import type { Channel } from "../threads/questions.ts";
import { sharedCounterMemory, SharedCounters } from "../threads/shared_counters.ts";
import { SIGNING_COUNTERS } from "../threads/signing_memory.ts";
import type { SigningThreads } from "../threads/signing_threads.ts";
import { WorkerSet } from "../threads/worker_set.ts";
import type { ListenAddress } from "./listener.ts";
import { SERVER_COUNTERS } from "./server_counters.ts";
import { ANSWER_MS, ServerWorker } from "./server_worker.ts";
import { shareAddresses, type SharedAddresses } from "./shared_addresses.ts";
import type {
  HsmThreadOptions,
  ServerThreadEvent,
  ServerThreadOptions,
  StartFailure,
} from "./thread_messages.ts";

export interface ServerGroupOptions extends
  Pick<
    ServerThreadOptions,
    "credentials" | "engine" | "keys" | "limits" | "debug" | "tracing"
  > {
  readonly workers: number;
  readonly listen: readonly ListenAddress[];
  /** What slow operations run on, with a loop for each worker; undefined where there are none. */
  readonly signing: SigningThreads | undefined;
  /** The keys in PKCS#11 tokens; undefined where there are none. */
  readonly hsm?: HsmStore | undefined;
  /** Whether each of their signatures is verified before it leaves. */
  readonly verifyHsm?: boolean;
  readonly log: Log;
  /** Told of the connections of all workers. */
  readonly observer: ConnectionObserver;
  readonly startWorker?: (options: ServerThreadOptions) => Worker;
}

/**
 * Starts a key server on several event loops: workers that listen on the same addresses. One that
 * dies is replaced; connections of the others do not notice.
 *
 * @throws KeylessError "LISTEN", "INTERNAL" where a worker cannot start; nothing listens then
 */
export async function startServerGroup(options: ServerGroupOptions): Promise<ServerGroup> {
  const addresses = await shareAddresses(options.listen);
  const group = new ServerGroup(options, addresses);
  try {
    await group.started;
  } catch (error) {
    await group.drain(0);
    throw error;
  }
  return group;
}

/** The main thread's side of the workers. */
export class ServerGroup {
  /** Resolves when all listen. */
  readonly started: Promise<void>;
  readonly #options: ServerGroupOptions;
  readonly #addresses: SharedAddresses;
  readonly #serverMemory: SharedArrayBuffer;
  readonly #hsm: HsmThreadOptions | undefined;
  readonly #workers = new Map<number, ServerWorker>();
  /** What stood in the way of the start of those that ended since, by place. */
  readonly #failures = new Map<number, string>();
  /** What workers ask tokens through, by the workers' ids. */
  readonly #desks = new Map<number, HsmDesk>();
  readonly #set: WorkerSet;
  readonly #starting = Promise.withResolvers<void>();
  readonly #logTaken: SharedArrayBuffer[] = [];
  readonly #final = new Map<number, readonly MetricSnapshot[]>();
  #listening: readonly string[] = [];
  #drained: Promise<number> | undefined;

  /** Use `startServerGroup`. */
  constructor(options: ServerGroupOptions, addresses: SharedAddresses) {
    const { workers: count } = options;
    this.#options = options;
    this.#addresses = addresses;
    this.#serverMemory = sharedCounterMemory(SERVER_COUNTERS.length, count);
    this.#hsm = options.hsm && {
      keys: options.hsm.share(),
      counters: sharedCounterMemory(SIGNING_COUNTERS.length, count),
      verify: options.verifyHsm ?? false,
    };
    this.started = this.#starting.promise;
    this.#set = new WorkerSet({
      count,
      start: (place) => this.#startWorker(place),
      onStart: (id, worker, place) => this.#joined(id, worker, place),
      onEnd: (id) => this.#left(id),
      onDeath: (why, delayMs, place) => this.#died(why, delayMs, place),
    });
  }

  /** What it listens on, for the log. */
  get addresses(): readonly string[] {
    return this.#listening;
  }

  /** The TCP port of the first address that has one. */
  get port(): number | undefined {
    return this.#addresses.port;
  }

  /** Open connections of all workers, those in their handshake included. */
  get connections(): number {
    const counters = this.#countersOf(0);
    return counters.sum("established") + counters.sum("handshaking");
  }

  /** Whether it stops, or has stopped. */
  get isDraining(): boolean {
    return this.#drained !== undefined;
  }

  /** Workers that serve. */
  get workers(): number {
    return this.#listeningWorkers().length;
  }

  /** Workers that have died so far. */
  get restarts(): number {
    return this.#set.deaths;
  }

  /** What each worker that answers holds at the moment. */
  async gauges(): Promise<readonly WorkerGauges[]> {
    const gauges = await this.#ofAll(async (worker) => {
      const answer = await worker.ask("gauges", undefined);
      return answer && { name: worker.name, ...answer };
    });
    return gauges.filter((each) => each !== undefined);
  }

  /** The metrics of each worker; after a drain, what they had counted at their end. */
  async snapshots(): Promise<WorkerSnapshots> {
    const answers = await this.#ofAll(async (worker, id) => {
      const metrics = await worker.ask("metrics", undefined);
      return [id, metrics && JSON.parse(metrics)] as const;
    });
    return new Map([...this.#final, ...answers]);
  }

  /** What each worker does for a while. */
  async cpuProfiles(durationMs: number): Promise<readonly Profiled<CpuProfile>[]> {
    const profiles = await this.#ofAll(async (worker) => {
      const profile = await worker.ask("cpuProfile", durationMs, durationMs + PROFILE_MS);
      return profile && { thread: worker.name, profile };
    });
    return profiles.filter((each) => each !== undefined);
  }

  /** What is alive in each worker, one after the other: each stands still meanwhile. */
  async heapProfiles(): Promise<readonly Profiled<readonly HeapType[]>[]> {
    const profiles: Profiled<readonly HeapType[]>[] = [];
    for (const worker of this.#listeningWorkers()) {
      const profile = await worker.ask("heapProfile", undefined, PROFILE_MS);
      if (profile !== undefined) profiles.push({ thread: worker.name, profile });
    }
    return profiles;
  }

  /** Accepts nothing more, and removes its sockets' files: at once, for the end of the process. */
  closeListeners(): void {
    this.#addresses.close();
  }

  /**
   * Drains all workers as `Server.drain` does, and ends them; once, however often it is called.
   *
   * @returns how many requests were cut because `timeoutMs` had passed; of a worker that does not
   *   answer, a request for each of its connections
   */
  drain(timeoutMs: number): Promise<number> {
    return this.#drained ??= this.#drain(timeoutMs);
  }

  async #drain(timeoutMs: number): Promise<number> {
    this.closeListeners();
    let cut = 0;
    await this.#set.stop(async (thread) => {
      const [id, worker] = [...this.#workers].find(([, { worker }]) => worker === thread)!;
      const established = this.#countersOf(worker.place).own("established");
      const drained = await worker.ask("drain", timeoutMs, timeoutMs + ANSWER_MS);
      cut += drained?.cut ?? established;
      if (drained !== undefined) this.#final.set(id, JSON.parse(drained.metrics));
      worker.stop();
    });
    return cut;
  }

  #startWorker(place: number): Worker {
    const { credentials, engine, keys, limits, debug, tracing } = this.#options;
    const { startWorker = startServerThread } = this.#options;
    return startWorker({
      ...{ place, credentials, engine, keys, limits, debug, tracing },
      listen: this.#addresses.share(),
      serverMemory: this.#serverMemory,
      logTaken: this.#logTaken[place] = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT),
      signing: this.#options.signing?.memory,
      hsm: this.#hsm,
    });
  }

  #joined(id: number, thread: Worker, place: number): void {
    const { log } = this.#options;
    const taken = new Int32Array(this.#logTaken[place]!);
    const worker = new ServerWorker({
      ...{ worker: thread, place, log },
      onEvent: (event) => {
        if ("log" in event) Atomics.add(taken, 0, 1);
        this.#told(worker, event);
      },
    });
    this.#workers.set(id, worker);
    const { hsm } = this.#options;
    if (hsm !== undefined) this.#desks.set(id, new HsmDesk(thread as Channel, hsm));
  }

  #left(id: number): void {
    const worker = this.#workers.get(id)!;
    this.#workers.delete(id);
    this.#options.signing?.loopEnded(worker.place);
    this.#countersOf(worker.place).clear();
    if (this.#hsm !== undefined) {
      new SharedCounters(SIGNING_COUNTERS, this.#hsm.counters, worker.place).clear();
    }
    this.#desks.get(id)?.end();
    this.#desks.delete(id);
    worker.ended();
  }

  #died(ended: string, delayMs: number, place: number): void {
    const why = this.#failures.get(place) ?? ended;
    this.#failures.delete(place);
    if (this.#listening.length > 0) {
      const fields = { event: "worker_died", worker: `worker ${place + 1}`, why, delayMs };
      this.#options.log.error(fields, "a worker has died and is replaced");
    }
    this.#starting.reject(new KeylessError("INTERNAL", `a worker cannot start: ${why}`));
  }

  #told(worker: ServerWorker, event: ServerThreadEvent): void {
    const { log, observer } = this.#options;
    if ("log" in event) log[event.log.level](event.log.fields, event.log.message);
    else if ("established" in event) observer.established(event.established);
    else if ("closed" in event) observer.closed(event.closed.lifetimeMs);
    else if ("overfull" in event) this.#makeRoomFor(worker);
    else if ("failed" in event) this.#failed(worker, event.failed);
    else if ("listening" in event) {
      this.#listening = event.listening;
      if (this.workers === this.#options.workers) this.#starting.resolve();
    }
  }

  /** It cannot start: nor does the server, or it is tried again after a while. */
  #failed({ worker, place }: ServerWorker, { code, message }: StartFailure): void {
    this.#failures.set(place, message);
    if (code !== "INTERNAL") this.#starting.reject(new KeylessError(code, message));
    void worker.terminate(); // it has no connections
  }

  /** A handshake gives way of that worker, of the others, which has most of them. */
  #makeRoomFor(admitting: ServerWorker): void {
    const handshaking = ({ place }: ServerWorker) => this.#countersOf(place).own("handshaking");
    const [fullest] = this.#listeningWorkers()
      .filter((worker) => worker !== admitting)
      .toSorted((a, b) => handshaking(b) - handshaking(a));
    void fullest?.ask("cutOldestHandshake", undefined);
  }

  #countersOf(place: number): SharedCounters<(typeof SERVER_COUNTERS)[number]> {
    return new SharedCounters(SERVER_COUNTERS, this.#serverMemory, place);
  }

  #listeningWorkers(): readonly ServerWorker[] {
    return [...this.#workers.values()].filter(({ isListening }) => isListening);
  }

  #ofAll<Result>(
    read: (worker: ServerWorker, id: number) => Promise<Result>,
  ): Promise<readonly Result[]> {
    const listening = [...this.#workers].filter(([, { isListening }]) => isListening);
    return Promise.all(listening.map(([id, worker]) => read(worker, id)));
  }
}

/** The executable holds the thread's file beside the program (`scripts/build.sh`). */
function startServerThread(workerData: ServerThreadOptions): Worker {
  return new Worker(new URL("./server_thread.ts", import.meta.url), { workerData });
}

/** Profiles take a while to put together. */
const PROFILE_MS = 10_000;
