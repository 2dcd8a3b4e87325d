import { setTimeout as sleep } from "node:timers/promises";
import { KeylessError, messageOf } from "../errors/errors.ts";
import { CallHung } from "./module_channel.ts";

export interface RecoveryOptions {
  /** Whether the login still holds; asked at once, and again whenever a further session is lost. */
  readonly look: () => Promise<boolean>;
  /** Makes good what is lost besides the login: sessions, keys. */
  readonly mend: () => Promise<void>;
  /** Lets go of all that there is of the token, */
  readonly letGo: () => Promise<void>;
  /** and begins anew: finds it, logs in, finds its keys, opens sessions. */
  readonly open: () => Promise<void>;
  /** How many requests have been carried out so far. */
  readonly made: () => number;
  /** Whether there is a process whose module is open, */
  readonly hasProcess: () => boolean;
  /** and whether other tokens depend on it. */
  readonly isShared: () => boolean;
  /** The token cannot be used for the moment. */
  readonly onFailed: (why: string, isNew: boolean) => void;
  /** It can be used again. */
  readonly onBack: () => void;
  /** Nothing else than a new start of its module may help. */
  readonly onStuck: (why: string) => void;
}

/**
 * Has a token used again after whatever went wrong. A login that holds is kept, with the sessions that
 * answer; only where it does not, or where it brought nothing, all begins anew. What goes wrong again
 * and again is mended later each time: clients can cause it.
 */
export class Recovery {
  readonly #options: RecoveryOptions;
  readonly #closing = new AbortController();
  #why: string | undefined;
  #failures = 0;
  #isRunning = false;
  /** Something was lost that has not been looked at. */
  #isDirty = false;
  #wake: () => void = () => {};
  #delayMs = 0;
  #endedMs = -Infinity;
  #madeBefore = -1;
  /** How often in a row it was mended without a signature. */
  #fruitless = 0;
  /** How often in a row the token has hung its module. */
  #hangs = 0;
  #hasHung = false;

  constructor(options: RecoveryOptions) {
    this.#options = options;
  }

  /** Why the token cannot be used; undefined where it can. */
  get why(): string | undefined {
    return this.#why;
  }

  /** Whether an attempt has failed since it could be used. */
  get isAway(): boolean {
    return this.#failures > 0;
  }

  /** Whether it was mended again and again, and brought no signature. */
  get isFruitless(): boolean {
    return this.#fruitless >= LOGIN_AFTER_FRUITLESS;
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  /**
   * @param isGone nothing of the token is left to use
   * @param hasHung its process was killed because it did not answer
   */
  start(why: string, isGone: boolean, hasHung = false): void {
    if (this.#closing.signal.aborted) return;
    if (isGone) this.#why ??= why;
    this.#hasHung ||= hasHung;
    this.#isDirty = true;
    this.#wake();
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#run(why);
  }

  close(): void {
    this.#closing.abort();
  }

  async #run(why: string): Promise<void> {
    try {
      while (this.#isDirty && !this.#isClosed) {
        this.#judge(why);
        if (await this.#settled(why)) await this.#mended();
        else await this.#reopened();
        this.#endedMs = performance.now();
      }
    } finally { // in the same turn as it was last looked for more
      this.#isRunning = false;
    }
  }

  /** Compares with the recovery before this one. */
  #judge(why: string): void {
    const made = this.#options.made();
    this.#fruitless = made === this.#madeBefore ? this.#fruitless + 1 : 0;
    if (made !== this.#madeBefore) this.#hangs = 0;
    this.#madeBefore = made;
    const isCalm = performance.now() - this.#endedMs > CALM_MS;
    this.#delayMs = isCalm
      ? 0
      : Math.min(Math.max(FIRST_DELAY_MS, 2 * this.#delayMs), MAX_DELAY_MS);
    const isStuck = this.#fruitless > 0 && this.#fruitless % STUCK_AFTER_FRUITLESS === 0;
    if (isStuck) this.#options.onStuck(why);
  }

  /** Looks what is left, and rests. @returns whether the login holds */
  async #settled(why: string): Promise<boolean> {
    const untilMs = performance.now() + this.#delayMs;
    for (;;) {
      this.#isDirty = false;
      const isOpen = this.#options.hasProcess() && !this.isFruitless &&
        await this.#options.look();
      if (!isOpen) await this.#options.letGo();
      await this.#holdOff(why);
      await this.#rest(untilMs - performance.now());
      if (this.#isClosed || !this.#isDirty) return isOpen;
    }
  }

  async #mended(): Promise<void> {
    try {
      await this.#options.mend();
      this.#succeeded();
    } catch { // the login is not worth what it seemed
      await this.#options.letGo();
      await this.#reopened();
    }
  }

  /** Tries until it has succeeded. */
  async #reopened(): Promise<void> {
    for (let delayMs = FIRST_DELAY_MS; !this.#isClosed;) {
      this.#isDirty = false;
      if (this.#options.hasProcess()) {
        if (await this.#tried()) return;
      } else if (delayMs >= PATIENCE_MS) this.#failed(NO_PROCESS);
      await this.#rest(delayMs);
      delayMs = Math.min(2 * delayMs, MAX_DELAY_MS);
    }
  }

  async #tried(): Promise<boolean> {
    try {
      await this.#options.open();
    } catch (thrown) {
      const why = messageOf(thrown);
      this.#failed(why);
      this.#hasHung ||= thrown instanceof CallHung;
      await this.#options.letGo();
      await this.#holdOff(why);
      // another process would refuse the same PIN, and try it
      const isOfPin = thrown instanceof KeylessError && PIN_CODES.has(thrown.code);
      if (!isOfPin && this.#failures % STUCK_AFTER === 0) this.#options.onStuck(why);
      return false;
    }
    this.#succeeded();
    return true;
  }

  #succeeded(): void {
    const wasAway = this.isAway;
    this.#why = undefined;
    this.#failures = 0;
    if (wasAway) this.#options.onBack();
  }

  #failed(why: string): void {
    if (this.#isClosed) return;
    const isNew = this.#failures === 0 || why !== this.#why;
    this.#failures += 1;
    this.#why = why;
    this.#options.onFailed(why, isNew);
  }

  /** Each hang takes the process from the other tokens of the module: they have time in between. */
  async #holdOff(why: string): Promise<void> {
    if (!this.#hasHung) return;
    this.#hasHung = false;
    this.#hangs += 1;
    if (this.#hangs < HELD_OFF_FROM || !this.#options.isShared()) return;
    this.#failed(why);
    const delayMs = FIRST_HELD_OFF_MS * 2 ** (this.#hangs - HELD_OFF_FROM);
    const { signal } = this.#closing;
    await sleep(Math.min(delayMs, MAX_HELD_OFF_MS), undefined, { signal }).catch(() => {});
  }

  /** Until it is over, or something happens. */
  async #rest(durationMs: number): Promise<void> {
    if (durationMs <= 0 || this.#isDirty) return;
    const ended = new AbortController();
    this.#wake = () => ended.abort();
    const signal = AbortSignal.any([ended.signal, this.#closing.signal]);
    await sleep(durationMs, undefined, { signal }).catch(() => {});
  }

  get #isClosed(): boolean {
    return this.#closing.signal.aborted;
  }
}

const NO_PROCESS = "the process of the PKCS#11 module does not start";
const PIN_CODES: ReadonlySet<string> = new Set(["HSM_PIN", "FILE_READ"]);

const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 5_000;
/** What goes wrong after so long has nothing to do with what went wrong before. */
const CALM_MS = 10_000;
/** Until then requests wait for a process that is started again. */
const PATIENCE_MS = 3_000;
/** Attempts that have failed. */
const STUCK_AFTER = 2;
/** Recoveries in a row that brought no signature: then the login is made anew, then the process. */
const LOGIN_AFTER_FRUITLESS = 2;
const STUCK_AFTER_FRUITLESS = 8;
/** A first hang may be the only one. */
const HELD_OFF_FROM = 2;
const FIRST_HELD_OFF_MS = 60_000;
const MAX_HELD_OFF_MS = 10 * 60_000;
