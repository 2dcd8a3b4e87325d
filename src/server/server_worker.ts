import type { Worker } from "node:worker_threads";
import { messageOf } from "../errors/errors.ts";
import type { Log } from "../telemetry/log.ts";
import { Asker } from "../threads/questions.ts";
import type { ServerThreadAnswers, ServerThreadEvent, StopOrder } from "./thread_messages.ts";

/** What a `ServerWorker` tells the group that it belongs to. */
export interface ServerWorkerOptions {
  readonly worker: Worker;
  readonly place: number;
  readonly log: Log;
  readonly onEvent: (event: ServerThreadEvent) => void;
}

/** The main thread's side of one worker. */
export class ServerWorker {
  readonly worker: Worker;
  readonly place: number;
  /** "worker 1". */
  readonly name: string;
  readonly #log: Log;
  readonly #asker: Asker<ServerThreadAnswers>;
  #state: "starting" | "listening" | "ended" = "starting";
  #timer: ReturnType<typeof setTimeout>;
  #silences = 0;

  constructor({ worker, place, log, onEvent }: ServerWorkerOptions) {
    this.worker = worker;
    this.place = place;
    this.name = `worker ${place + 1}`;
    this.#log = log;
    this.#asker = new Asker(worker);
    this.#timer = setTimeout(() => this.#giveUp("start", "it did not listen in time"), START_MS);
    worker.on("message", (event: ServerThreadEvent) => {
      if ("listening" in event) this.#listens();
      onEvent(event);
    });
  }

  get isListening(): boolean {
    return this.#state === "listening";
  }

  /** @returns undefined where it does not answer, which the log tells */
  async ask<Name extends keyof ServerThreadAnswers>(
    name: Name,
    asked: Parameters<ServerThreadAnswers[Name]>[0],
    timeoutMs = ANSWER_MS,
  ): Promise<Awaited<ReturnType<ServerThreadAnswers[Name]>> | undefined> {
    try {
      return await this.#asker.ask(name, asked, timeoutMs);
    } catch (error) {
      if (this.#state === "listening") this.#silent(name, messageOf(error));
      return undefined;
    }
  }

  /**
   * Has it end by itself, when it has done what it is doing: a key in its hands is in use until then.
   * One that hangs is ended all the same.
   */
  stop(): void {
    clearTimeout(this.#timer);
    this.worker.postMessage({ stop: true } satisfies StopOrder);
    this.#timer = setTimeout(() => void this.worker.terminate(), STOP_MS);
  }

  /** It runs no more. */
  ended(): void {
    this.#state = "ended";
    clearTimeout(this.#timer);
    this.#asker.end();
  }

  #listens(): void {
    this.#state = "listening";
    clearTimeout(this.#timer);
    this.#watch();
  }

  /** A worker that hangs would keep its share of the port's connections. */
  #watch(): void {
    this.#timer = setTimeout(async () => {
      const isAlive = await this.ask("isAlive", undefined, WATCH_MS) ?? false;
      if (this.#state !== "listening") return;
      this.#silences = isAlive ? 0 : this.#silences + 1;
      if (this.#silences < MAX_SILENCES) this.#watch();
      else this.#giveUp("isAlive", "it did not answer for a while");
    }, WATCH_MS);
    this.#timer.unref();
  }

  #giveUp(question: string, why: string): void {
    this.#silent(question, why);
    void this.worker.terminate();
  }

  #silent(question: string, why: string): void {
    const fields = { event: "worker_silent", worker: this.name, question, why };
    this.#log.warn(fields, "a worker does not answer");
  }
}

/** A worker's event loop is never held up so long, unless something is wrong. */
export const ANSWER_MS = 2_000;
/** With hundreds of thousands of keys, on a busy machine. */
const START_MS = 60_000;
const STOP_MS = 2_000;
/** How often it is looked at, and how long it may take to answer then. */
const WATCH_MS = 10_000;
/** More than one: a machine that was asleep has it look as if it had been silent. */
const MAX_SILENCES = 3;
