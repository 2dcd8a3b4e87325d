import { Worker } from "node:worker_threads";
import { KeylessError, messageOf } from "../errors/errors.ts";
import type { ErrorCode } from "../errors/table.ts";
import type { Log } from "../telemetry/log.ts";
import type { CpuProfile } from "../telemetry/profiles/cpu_profile.ts";
import type { HeapType } from "../telemetry/profiles/heap_profile.ts";
import type { Profiled } from "../telemetry/profiles/profiled.ts";
import type { MetricSnapshot } from "../telemetry/metrics/registry.ts";
import type { WorkerSnapshots } from "../telemetry/metrics/retired_counters.ts";
import type { WorkerGauges } from "../telemetry/server_gauges.ts";
import type { ConnectionObserver } from "../telemetry/server_metrics.ts";
import { Asker } from "../threads/questions.ts";
import { sharedCounterMemory, SharedCounters } from "../threads/shared_counters.ts";
import type { SigningThreads } from "../threads/signing_threads.ts";
import { WorkerSet } from "../threads/worker_set.ts";
import type { ListenAddress } from "./listener.ts";
import { SERVER_COUNTERS } from "./server.ts";
import { shareAddresses, type SharedAddresses } from "./shared_addresses.ts";
import type {
  ServerThreadAnswers,
  ServerThreadEvent,
  ServerThreadOptions,
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
  readonly log: Log;
  /** Told of the connections of all workers. */
  readonly observer: ConnectionObserver;
  readonly startWorker?: (options: ServerThreadOptions) => Worker;
}

/**
 * Starts a key server on several event loops: workers that listen on the same addresses. One that
 * dies is replaced; connections of the others do not notice.
 *
 * @throws KeylessError "LISTEN"; nothing listens then
 */
export async function startServerGroup(options: ServerGroupOptions): Promise<ServerGroup> {
  const addresses = await shareAddresses(options.listen, options.workers);
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
  readonly #members = new Map<number, Member>();
  readonly #set: WorkerSet;
  readonly #starting = Promise.withResolvers<void>();
  readonly #final = new Map<number, readonly MetricSnapshot[]>();
  #listening: readonly string[] = [];
  #drained: Promise<number> | undefined;

  /** Use `startServerGroup`. */
  constructor(options: ServerGroupOptions, addresses: SharedAddresses) {
    const { workers: count } = options;
    this.#options = options;
    this.#addresses = addresses;
    this.#serverMemory = sharedCounterMemory(SERVER_COUNTERS.length, count);
    this.started = this.#starting.promise;
    this.#set = new WorkerSet({
      count,
      start: (place) => this.#startWorker(place),
      onStart: (id, worker, place) => this.#joined(id, worker, place),
      onEnd: (id) => this.#left(id),
      onDeath: (why) => this.#died(why),
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

  /** Workers that run. */
  get workers(): number {
    return this.#set.workers.size;
  }

  /** Workers that have died so far. */
  get restarts(): number {
    return this.#set.deaths;
  }

  /** What each worker that answers holds at the moment. */
  async gauges(): Promise<readonly WorkerGauges[]> {
    const answers = await this.#askAll("gauges", undefined, ANSWER_MS);
    return answers.flatMap(({ place, value }) =>
      value === undefined ? [] : [{ name: nameOf(place), ...value }]
    );
  }

  /** The metrics of each worker; after a drain, what they had counted at their end. */
  async snapshots(): Promise<WorkerSnapshots> {
    const answers = await this.#askAll("metrics", undefined, ANSWER_MS);
    return new Map([
      ...this.#final,
      ...answers.map(({ id, value }) => [id, value && JSON.parse(value)] as const),
    ]);
  }

  /** What each worker does for a while. */
  async cpuProfiles(durationMs: number): Promise<readonly Profiled<CpuProfile>[]> {
    const answers = await this.#askAll("cpuProfile", durationMs, durationMs + PROFILE_MS);
    return answers.flatMap(({ place, value }) =>
      value === undefined ? [] : [{ thread: nameOf(place), profile: value }]
    );
  }

  /** What is alive in each worker, one after the other: each stands still meanwhile. */
  async heapProfiles(): Promise<readonly Profiled<readonly HeapType[]>[]> {
    const profiles: Profiled<readonly HeapType[]>[] = [];
    for (const member of this.#listeningMembers()) {
      const { place, value } = await this.#ask(member, "heapProfile", undefined, PROFILE_MS);
      if (value !== undefined) profiles.push({ thread: nameOf(place), profile: value });
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
   * @returns how many requests were cut because `timeoutMs` had passed
   */
  drain(timeoutMs: number): Promise<number> {
    return this.#drained ??= this.#drain(timeoutMs);
  }

  async #drain(timeoutMs: number): Promise<number> {
    this.closeListeners();
    let cut = 0;
    await this.#set.stop(async (worker) => {
      const member = [...this.#members.values()].find((member) => member.worker === worker);
      try {
        const drained = await member!.asker.ask("drain", timeoutMs, timeoutMs + ANSWER_MS);
        cut += drained.cut;
        this.#final.set(member!.id, JSON.parse(drained.metrics));
      } catch (error) {
        if (member!.isListening) this.#silent("drain", error);
      }
      await worker.terminate();
    });
    return cut;
  }

  #startWorker(place: number): Worker {
    const { credentials, engine, keys, limits, debug, tracing } = this.#options;
    const workerData: ServerThreadOptions = {
      ...{ place, credentials, engine, keys, limits, debug, tracing },
      listen: this.#addresses.share(),
      serverMemory: this.#serverMemory,
      signing: this.#options.signing?.memory,
    };
    const { startWorker = startServerThread } = this.#options;
    return startWorker(workerData);
  }

  #joined(id: number, worker: Worker, place: number): void {
    const asker = new Asker<ServerThreadAnswers>(worker);
    const member: Member = { id, place, worker, asker, isListening: false };
    this.#members.set(id, member);
    worker.on("message", (event: ServerThreadEvent) => this.#told(member, event));
  }

  #left(id: number): void {
    const { asker, place } = this.#members.get(id)!;
    this.#members.delete(id);
    this.#options.signing?.loopEnded(place);
    this.#countersOf(place).clear();
    asker.end();
  }

  #died(why: string): void {
    if (this.#hasStarted) {
      this.#options.log.error({ event: "worker_died", why }, "a worker has died and is replaced");
    }
    this.#starting.reject(new KeylessError("INTERNAL", `a worker cannot start: ${why}`));
  }

  #told(member: Member, event: ServerThreadEvent): void {
    const { log, observer } = this.#options;
    if ("log" in event) log[event.log.level](event.log.fields, event.log.message);
    else if ("established" in event) observer.established(event.established);
    else if ("closed" in event) observer.closed(event.closed.lifetimeMs);
    else if ("overfull" in event) this.#makeRoom();
    else if ("failed" in event) this.#failed(member, event.failed);
    else if ("listening" in event) {
      member.isListening = true;
      this.#listening = event.listening;
      const members = [...this.#members.values()];
      if (members.every(({ isListening }) => isListening)) this.#starting.resolve();
    }
  }

  /** It cannot start: nor does the server, or it is tried again after a while. */
  #failed({ worker }: Member, { code, message }: { code: ErrorCode; message: string }): void {
    if (this.#hasStarted) {
      this.#options.log.error({ event: "worker_failed", why: message }, "a worker cannot start");
    }
    const text = code === "INTERNAL" ? `a worker cannot start: ${message}` : message;
    this.#starting.reject(new KeylessError(code, text));
    worker.terminate();
  }

  /** A handshake of the worker that has most of them gives way. */
  #makeRoom(): void {
    const [fullest] = [...this.#members.values()].toSorted((a, b) =>
      this.#countersOf(b.place).own("handshaking") - this.#countersOf(a.place).own("handshaking")
    );
    fullest?.asker.ask("cutOldestHandshake", undefined)
      .catch(() => {}); // it is gone, and its handshakes with it
  }

  #countersOf(place: number): SharedCounters<(typeof SERVER_COUNTERS)[number]> {
    return new SharedCounters(SERVER_COUNTERS, this.#serverMemory, place);
  }

  get #hasStarted(): boolean {
    return this.#listening.length > 0;
  }

  #listeningMembers(): readonly Member[] {
    return [...this.#members.values()].filter(({ isListening }) => isListening);
  }

  #askAll<Name extends keyof ServerThreadAnswers>(
    name: Name,
    asked: Parameters<ServerThreadAnswers[Name]>[0],
    timeoutMs: number,
  ): Promise<readonly Answer<AnswerTo<Name>>[]> {
    const members = this.#listeningMembers();
    return Promise.all(members.map((member) => this.#ask(member, name, asked, timeoutMs)));
  }

  /** The value is undefined where the worker does not answer. */
  async #ask<Name extends keyof ServerThreadAnswers>(
    { id, place, asker }: Member,
    name: Name,
    asked: Parameters<ServerThreadAnswers[Name]>[0],
    timeoutMs: number,
  ): Promise<Answer<AnswerTo<Name>>> {
    try {
      return { id, place, value: await asker.ask(name, asked, timeoutMs) };
    } catch (error) {
      if (this.#members.has(id)) this.#silent(name, error);
      return { id, place, value: undefined };
    }
  }

  #silent(question: string, error: unknown): void {
    const fields = { event: "worker_silent", question, why: messageOf(error) };
    this.#options.log.warn(fields, "a worker does not answer");
  }
}

interface Member {
  readonly id: number;
  readonly place: number;
  readonly worker: Worker;
  readonly asker: Asker<ServerThreadAnswers>;
  isListening: boolean;
}

interface Answer<Value> {
  readonly id: number;
  readonly place: number;
  readonly value: Value | undefined;
}

type AnswerTo<Name extends keyof ServerThreadAnswers> = Awaited<
  ReturnType<ServerThreadAnswers[Name]>
>;

/** The executable holds the thread's file beside the program (`scripts/build.sh`). */
function startServerThread(workerData: ServerThreadOptions): Worker {
  return new Worker(new URL("./server_thread.ts", import.meta.url), { workerData });
}

function nameOf(place: number): string {
  return `worker ${place + 1}`;
}

/** A worker's event loop is never held up so long, unless something is wrong. */
const ANSWER_MS = 2_000;
/** Profiles take a while to put together. */
const PROFILE_MS = 10_000;
