import { clearInterval, clearTimeout, setInterval, setTimeout } from "node:timers";
import { printable } from "../../errors/printable.ts";
import { systemReason } from "../../errors/system.ts";
import type { Log } from "../log.ts";
import type { BaseValue } from "./base_metrics.ts";

/** Where metrics are pushed to. */
export interface Sink {
  readonly name: "graphite" | "url";
  /** For the log: without credentials. */
  readonly address: string;
  /**
   * Delivers the values, and leaves nothing open. Rejects with the reason where it cannot, and when
   * the signal ends it.
   */
  send(values: readonly BaseValue[], signal: AbortSignal): Promise<void>;
}

/** How a push ended; "skipped": the one before was still under way. */
export type PushOutcome = "ok" | "failed" | "skipped";

export interface PushOptions {
  readonly sinks: readonly Sink[];
  readonly intervalMs: number;
  /** How long one push may take. */
  readonly timeoutMs?: number;
  /** How long stopping may take. */
  readonly lastPushMs?: number;
  readonly read: () => Promise<readonly BaseValue[]>;
  readonly count: (sink: Sink["name"], outcome: PushOutcome) => void;
  readonly log: Log;
}

/** What pushes metrics. */
export interface Push {
  /** Pushes once more to the sinks that are up, for `lastPushMs` at most; never rejects. */
  stop(): Promise<void>;
}

/** Pushes metrics to every sink, at once and then at every interval, until it is stopped. */
export function startPush(options: PushOptions): Push {
  const pushers = options.sinks.map((sink) => new Pusher(sink, options));
  const pushAll = () => pushers.forEach((pusher) => pusher.push());
  const timer = setInterval(pushAll, options.intervalMs);
  timer.unref();
  pushAll();
  return {
    stop: async () => {
      clearInterval(timer);
      await Promise.all(pushers.map((pusher) => pusher.stop()));
    },
  };
}

/** One sink: at most one push to it at a time, and a line when it goes down and when it is back. */
class Pusher {
  readonly #sink: Sink;
  readonly #options: PushOptions;
  #underWay: Promise<void> | undefined;
  #abort = new AbortController();
  #isDown = false;
  #isStopping = false;

  constructor(sink: Sink, options: PushOptions) {
    this.#sink = sink;
    this.#options = options;
  }

  push(): void {
    if (this.#underWay !== undefined) return this.#count("skipped");
    this.#underWay = this.#attempt().finally(() => this.#underWay = undefined);
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    const { lastPushMs = LAST_PUSH_MS } = this.#options;
    const timer = setTimeout(() => this.#abort.abort(new Error("stopped")), lastPushMs);
    await this.#underWay;
    if (!this.#isDown && !this.#abort.signal.aborted) await this.#attempt();
    clearTimeout(timer);
  }

  async #attempt(): Promise<void> {
    const { read, timeoutMs = PUSH_TIMEOUT_MS } = this.#options;
    const abort = this.#abort = new AbortController();
    const late = new Error(`it takes longer than ${timeoutMs / 1_000} s`);
    const timer = setTimeout(() => abort.abort(late), timeoutMs);
    try {
      await this.#sink.send(await unlessAborted(read(), abort.signal), abort.signal);
      this.#count("ok");
      this.#becomes("up");
    } catch (thrown) {
      this.#count("failed");
      this.#becomes("down", thrown);
    } finally {
      clearTimeout(timer);
    }
  }

  #becomes(state: "up" | "down", thrown?: unknown): void {
    const { log, intervalMs } = this.#options;
    const isDown = state === "down";
    if (isDown === this.#isDown || this.#isStopping) return;
    this.#isDown = isDown;
    const { name: sink, address } = this.#sink;
    if (isDown) {
      const reason = withoutUrls(printable(systemReason(thrown)), address);
      const fields = { event: "metrics_push_failed", sink, address, reason };
      log.warn(fields, `metrics cannot be pushed; tried again every ${intervalMs / 1_000} s`);
    } else {
      const fields = { event: "metrics_push_recovered", sink, address };
      log.info(fields, "metrics are pushed again");
    }
  }

  #count(outcome: PushOutcome): void {
    this.#options.count(this.#sink.name, outcome);
  }
}

/** What a promise gives, or the signal's reason once that comes first. */
function unlessAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    promise.then(resolve, reject);
  });
}

/** A runtime may name the URL in its message, with what must not be logged. */
function withoutUrls(text: string, address: string): string {
  return text.replace(/[a-z][a-z0-9+.-]*:\/\/\S*/gi, address);
}

const PUSH_TIMEOUT_MS = 10_000;
const LAST_PUSH_MS = 1_000;
