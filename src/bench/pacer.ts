import { setImmediate } from "node:timers";
import { FineTimer } from "./fine_timer.ts";
import type { OpenLoop } from "./messages.ts";
import { dueMs } from "./schedule.ts";

/** What a pacer drives. */
export interface Paced {
  /** A request is due now, or was due. */
  send(dueMs: number, nowMs: number): void;
  /** All that are due have been sent. */
  flush(): void;
}

/**
 * Tells when requests are due, by a schedule that nothing holds up: those that were missed while the
 * thread was busy are sent at once, with the time at which they were due.
 *
 * It sleeps until shortly before a request is due, and looks at the clock in every turn of the event
 * loop from then on. Where requests are closer together than a sleep can be, some 7,000 a second, it
 * does so all the time, which takes what is left of a core.
 */
export class Pacer {
  readonly #loop: OpenLoop;
  readonly #paced: Paced;
  readonly #timer: FineTimer;
  #startMs = 0;
  #endMs = 0;
  #index: number;
  #nextMs = 0;
  /** When the timer was to wake. */
  #wakeMs = 0;
  /** How late it wakes, lately. */
  #latenessMs = FIRST_LATENESS_MS;
  #isOver = false;

  constructor(loop: OpenLoop, paced: Paced) {
    this.#loop = loop;
    this.#paced = paced;
    this.#index = loop.first;
    this.#timer = new FineTimer(() => this.#wake());
  }

  /** Whether all that was due before the end has been sent. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Resolves when `start` may be called. */
  prepare(): Promise<void> {
    return this.#timer.start();
  }

  start(startMs: number, endMs: number): void {
    this.#startMs = startMs;
    this.#endMs = endMs;
    this.#nextMs = startMs + dueMs(this.#loop, this.#index);
    this.#turn();
  }

  /** No request is sent that is due then or later. */
  endAt(endMs: number): void {
    this.#endMs = endMs;
  }

  stop(): void {
    this.#isOver = true;
    this.#timer.stop();
  }

  readonly #turn = (): void => {
    if (this.#isOver) return;
    const nowMs = performance.now();
    while (this.#nextMs <= nowMs && this.#nextMs < this.#endMs) {
      this.#paced.send(this.#nextMs, nowMs);
      this.#index += this.#loop.of;
      this.#nextMs = this.#startMs + dueMs(this.#loop, this.#index);
    }
    this.#paced.flush();
    if (this.#nextMs >= this.#endMs) this.#isOver = true;
    else this.#wait(this.#nextMs - performance.now());
  };

  #wait(gapMs: number): void {
    const sleepMs = Math.min(gapMs - this.#latenessMs * MARGIN, MAX_SLEEP_MS);
    if (sleepMs < MIN_SLEEP_MS) {
      this.#latenessMs = Math.max(FIRST_LATENESS_MS, this.#latenessMs * FORGET);
      setImmediate(this.#turn);
      return;
    }
    this.#wakeMs = performance.now() + sleepMs;
    this.#timer.sleep(sleepMs);
  }

  #wake(): void {
    const latenessMs = Math.min(performance.now() - this.#wakeMs, MAX_LATENESS_MS);
    this.#latenessMs += (latenessMs - this.#latenessMs) * LEARN;
    this.#turn();
  }
}

/** So that the end of a run is noticed at rates below one in a second. */
const MAX_SLEEP_MS = 100;
const MIN_SLEEP_MS = 0.02;

const FIRST_LATENESS_MS = 0.1;
/** A hiccup says little about the next sleep. */
const MAX_LATENESS_MS = 1;
const LEARN = 0.1;
/** In each turn without a sleep, so that a sleep is tried again some milliseconds later. */
const FORGET = 0.999;
const MARGIN = 1.25;
