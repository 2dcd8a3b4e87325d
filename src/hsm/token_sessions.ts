import { messageOf } from "../errors/errors.ts";
import type { ModuleSession } from "./module_session.ts";
import type { SessionQueue } from "./session_queue.ts";

export interface TokenSessionsOptions {
  /** Sessions that are kept open, and the most that are opened. */
  readonly minSessions: number;
  readonly maxSessions: number;
  /** @throws KeylessError where the token gives none */
  readonly open: () => Promise<ModuleSession>;
  /** One has ended though nobody wanted it to. @param key whose request it ended at, if that is known */
  readonly onLost: (why: string, hasHung: boolean, key: number | undefined) => void;
  /** The token gives no further session: `count` are open. */
  readonly onLimited: (why: string, count: number) => void;
}

/** The sessions of a token that sign: opened as they are needed, and closed when they idle. */
export class TokenSessions {
  readonly #queue: SessionQueue;
  readonly #options: TokenSessionsOptions;
  readonly #open = new Set<ModuleSession>();
  /** Of no use any more, until their threads are gone: those of lost ones wait to be told to go. */
  readonly #ending = new Set<ModuleSession>();
  readonly #opening = new Set<Promise<void>>();
  readonly #shrink: ReturnType<typeof setInterval>;
  /** What the token gave when it gave no more, and when it is asked for more again. */
  #shortage: Shortage | undefined;
  #refusal: unknown;
  /** Counts `dropAll`: what is being opened belongs to what was before. */
  #generation = 0;
  #isClosed = false;

  /** @param queue what the sessions work for */
  constructor(queue: SessionQueue, options: TokenSessionsOptions) {
    this.#queue = queue;
    this.#options = options;
    this.#shrink = setInterval(() => this.#closeIdle(), IDLE_MS / 4);
    this.#shrink.unref?.();
  }

  /** How many are open. */
  get size(): number {
    return this.#open.size;
  }

  /**
   * Opens sessions until there are as many as are kept open, or the token gives no more.
   *
   * @throws KeylessError where it gives none
   */
  async openLeast(): Promise<void> {
    for (let lacking = this.#options.minSessions - this.size; lacking > 0;) {
      const count = Math.min(lacking, this.#step);
      const attempts = await Promise.allSettled(Array.from({ length: count }, this.#openOne));
      const failed = attempts.find(({ status }) => status === "rejected");
      if (failed?.status === "rejected") {
        if (this.size === 0) throw failed.reason;
        return;
      }
      lacking -= count;
    }
  }

  /** Opens further sessions for so many requests that wait. */
  grow(waiting: number): void {
    const room = Math.min(this.#limit() - this.size - this.#ending.size, this.#step, waiting) -
      this.#opening.size;
    for (let more = 0; more < room; more++) this.#openOne().catch(() => {});
  }

  /** Closes the sessions that were lost; the others are of use. */
  async closeLost(): Promise<void> {
    for (const session of this.#ending) session.close();
    await Promise.all([...this.#ending].map(({ gone }) => gone));
  }

  /**
   * Ends all without closing them: the token, or the login, is gone, and their handles with it. What
   * they had waits for others. Resolves when none of their threads is left.
   */
  async dropAll(why: string): Promise<void> {
    this.#generation += 1;
    const sessions = [...this.#open, ...this.#ending];
    this.#open.clear();
    for (const session of sessions) {
      this.#queue.remove(session, why);
      session.drop();
    }
    await Promise.allSettled([...sessions.map(({ gone }) => gone), ...this.#opening]);
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#shrink);
    for (const session of [...this.#open, ...this.#ending]) session.close();
  }

  /** How many are opened at once: a token that is at its limit is asked in vain for few. */
  get #step(): number {
    return Math.max(1, this.size);
  }

  #limit(): number {
    const { maxSessions } = this.#options;
    if (this.#shortage === undefined) return maxSessions;
    const { count, againAtMs } = this.#shortage;
    return performance.now() < againAtMs ? count : Math.min(maxSessions, count + 1);
  }

  readonly #openOne = (): Promise<void> => {
    const opening = this.#openNow(this.#generation).finally(() => {
      this.#opening.delete(opening);
      if (this.#opening.size === 0) this.#checkShortage();
    });
    this.#opening.add(opening);
    return opening;
  };

  async #openNow(generation: number): Promise<void> {
    let session: ModuleSession;
    try {
      session = await this.#options.open();
    } catch (thrown) {
      if (generation === this.#generation) this.#refusal = thrown;
      throw thrown;
    }
    if (this.#isClosed) return session.close();
    if (generation !== this.#generation) {
      session.drop();
      await session.gone;
      return;
    }
    this.#open.add(session);
    if (this.size > (this.#shortage?.count ?? 0)) this.#shortage = undefined;
    this.#queue.add(session);
    void session.end.then((why) => this.#ended(session, why));
  }

  /** It gives no more: others use it, too. It is asked again later, and later each time. */
  #checkShortage(): void {
    const refusal = this.#refusal;
    this.#refusal = undefined;
    if (refusal === undefined || this.#isClosed || this.size === 0) return;
    const before = this.#shortage;
    const delayMs = Math.min(2 * (before?.delayMs ?? FIRST_DELAY_MS / 2), MAX_DELAY_MS);
    this.#shortage = { count: this.size, delayMs, againAtMs: performance.now() + delayMs };
    if (before?.count !== this.size) this.#options.onLimited(messageOf(refusal), this.size);
  }

  #ended(session: ModuleSession, why: string): void {
    const key = this.#queue.remove(session, why, session.wasLost);
    if (!this.#open.delete(session) || this.#isClosed) return;
    this.#endingNow(session);
    this.#options.onLost(why, session.hasHung, key);
  }

  #closeIdle(): void {
    while (this.size > this.#options.minSessions) {
      const session = this.#queue.takeIdle(performance.now() - IDLE_MS) as
        | ModuleSession
        | undefined;
      if (session === undefined) return;
      this.#open.delete(session);
      this.#endingNow(session);
      session.close();
    }
  }

  #endingNow(session: ModuleSession): void {
    this.#ending.add(session);
    void session.gone.then(() => this.#ending.delete(session));
  }
}

interface Shortage {
  readonly count: number;
  readonly delayMs: number;
  readonly againAtMs: number;
}

/** A session above the least that has done nothing for so long is closed. */
const IDLE_MS = 60_000;
const FIRST_DELAY_MS = 15_000;
const MAX_DELAY_MS = 15 * 60_000;
