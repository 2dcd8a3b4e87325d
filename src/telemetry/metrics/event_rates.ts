/**
 * How often something happens, in events a second: averages that fade over 1, 5 and 15 minutes as
 * UNIX's load does, and the mean since the start.
 *
 * The averages are those of a tick every 5 s. It is made up for when the rates are next used, instead
 * of by a timer, which would wake an idle process.
 */
export class EventRates {
  readonly #nowMs: () => number;
  readonly #startMs: number;
  readonly #averages = MINUTES.map((minutes) => new FadingAverage(minutes));
  #tickMs: number;
  #sinceTick = 0;
  #count = 0;

  /** @param nowMs a clock that never goes back */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#startMs = nowMs();
    this.#tickMs = this.#startMs;
  }

  /** One event, now. */
  mark(): void {
    this.#catchUp();
    this.#sinceTick++;
    this.#count++;
  }

  /** Until the first tick the averages are 0. */
  read(): { readonly rates: readonly [number, number, number]; readonly mean: number } {
    this.#catchUp();
    const [one = 0, five = 0, fifteen = 0] = this.#averages.map(({ rate }) => rate);
    const elapsedMs = this.#nowMs() - this.#startMs;
    return {
      rates: [one, five, fifteen],
      mean: elapsedMs > 0 ? this.#count * 1_000 / elapsedMs : 0,
    };
  }

  #catchUp(): void {
    const ticks = Math.floor((this.#nowMs() - this.#tickMs) / TICK_MS);
    if (ticks === 0) return;
    const rate = this.#sinceTick * 1_000 / TICK_MS;
    for (const average of this.#averages) average.tick(rate, ticks - 1);
    this.#tickMs += ticks * TICK_MS;
    this.#sinceTick = 0;
  }
}

/** An exponentially weighted moving average of rates. */
class FadingAverage {
  readonly #kept: number;
  #rate: number | undefined;

  constructor(minutes: number) {
    this.#kept = Math.exp(-TICK_MS / 60_000 / minutes);
  }

  get rate(): number {
    return this.#rate ?? 0;
  }

  /** A tick with that rate, and `idleTicks` after it without an event. */
  tick(rate: number, idleTicks: number): void {
    const before = this.#rate ?? rate; // the first is taken as it is
    this.#rate = (rate + (before - rate) * this.#kept) * this.#kept ** idleTicks;
  }
}

const TICK_MS = 5_000;
const MINUTES = [1, 5, 15];
