import { KeylessError, messageOf } from "../errors/errors.ts";
import { ErrorCounts } from "./error_counts.ts";
import { KeyFaults } from "./key_faults.ts";
import { logIn } from "./login.ts";
import type { FoundKey } from "./module_calls.ts";
import type { ModuleChannel } from "./module_channel.ts";
import type { ModuleProcess } from "./module_process.ts";
import { Recovery } from "./recovery.ts";
import type { RefusedPins } from "./refused_pins.ts";
import { selectToken, type TokenSlot } from "./select_token.ts";
import { type ServedKey, ServedKeys } from "./served_keys.ts";
import { replyOf, SessionQueue, type TokenRequest } from "./session_queue.ts";
import type { KeyName, KeyTemplate } from "./token_keys.ts";
import { TokenSessions } from "./token_sessions.ts";
import type { Pkcs11Uri } from "./uri.ts";

export interface TokenPoolOptions {
  /** Selects the token. */
  readonly uri: Pkcs11Uri;
  /** Sessions for signatures that are kept open, and the most that are opened. */
  readonly minSessions: number;
  readonly maxSessions: number;
  /** How long a request may wait for a session. */
  readonly waitMs: number;
  /** Asked for each login; the bytes are overwritten. */
  readonly readPin: () => Uint8Array | undefined;
  readonly refused: RefusedPins;
  /** Whether other tokens depend on the module's process. */
  readonly isShared?: () => boolean;
  /** The token cannot be used for the moment; told once for each reason. */
  readonly onAway?: (why: string) => void;
  /** It can be used again. */
  readonly onBack?: () => void;
  /** It gives no further session: `count` are open. */
  readonly onLimited?: (why: string, count: number) => void;
  /** A key is not on it any more. */
  readonly onKeyMissing?: (key: KeyName) => void;
  /** It is there again. */
  readonly onKeyBack?: (key: KeyName) => void;
  /** Nothing else than a new start of its module may help. */
  readonly onStuck?: (why: string) => void;
}

export interface TokenLoad {
  readonly isUp: boolean;
  /** Why it cannot be used; undefined where it can. */
  readonly why: string | undefined;
  /** Sessions for signatures: open, in use, the most ever in use, the most that may be open. */
  readonly sessions: number;
  readonly inUse: number;
  readonly largest: number;
  readonly maxSessions: number;
  readonly waiting: number;
  readonly oldestMs: number;
  /** Requests that waited in vain. */
  readonly exhausted: number;
  /** By the names that PKCS#11 has for them. */
  readonly errors: Readonly<Record<string, number>>;
}

/**
 * A token in use: its login, its sessions, shared by all of its keys, and what waits for them. A token
 * that was away is logged in to again, and its keys are found by their public halves before they sign.
 */
export class TokenPool {
  readonly #process: ModuleProcess;
  readonly #options: TokenPoolOptions;
  readonly #queue: SessionQueue;
  readonly #sessions: TokenSessions;
  readonly #keys = new ServedKeys();
  readonly #errors = new ErrorCounts();
  readonly #faults = new KeyFaults();
  /** Keys at whose requests sessions have ended since the last mend, and why. */
  readonly #suspects = new Map<number, string>();
  readonly #recovery: Recovery;
  #slot: TokenSlot | undefined;
  #exhausted = 0;
  /** A session has met a key's handle that was not valid. */
  #areHandlesOld = false;
  #search: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  /** @param process its module is open */
  constructor(process: ModuleProcess, options: TokenPoolOptions) {
    this.#process = process;
    this.#options = options;
    this.#queue = new SessionQueue({
      waitMs: options.waitMs,
      onError: ({ outcome, bytes }) => {
        if (outcome === "HSM_BUSY") this.#exhausted += 1;
        else if (outcome === "SIGN_FAILED") this.#errors.add(new TextDecoder().decode(bytes));
      },
      onRetried: (key) => this.#faults.absolve(key),
      onDemand: () => this.#grow(),
    });
    this.#sessions = new TokenSessions(this.#queue, {
      ...options,
      open: async () => await this.#channel().openSession(this.slot.slotId),
      onLost: (why, hasHung, key) => this.#lost(why, hasHung, key),
      onLimited: (why, count) => {
        this.#errors.add(why);
        options.onLimited?.(why, count);
      },
    });
    this.#recovery = new Recovery({
      look: () => this.#look(),
      mend: () => this.#mend(),
      letGo: () => this.#sessions.dropAll(GONE),
      open: () => this.#reopen(),
      made: () => this.#queue.made,
      hasProcess: () => process.channel !== undefined,
      isShared: () => options.isShared?.() ?? false,
      onFailed: (why, isNew) => this.#failed(why, isNew),
      onBack: () => options.onBack?.(),
      onStuck: (why) => options.onStuck?.(why),
    });
  }

  /** The token, after `open`. */
  get slot(): TokenSlot {
    return this.#slot!;
  }

  get isUp(): boolean {
    return this.#recovery.why === undefined;
  }

  /** Whether it is up, and its sessions sign. */
  get isOfUse(): boolean {
    return this.isUp && !this.#recovery.isFruitless;
  }

  load(): TokenLoad {
    return {
      isUp: this.isUp,
      why: this.#recovery.why,
      sessions: this.#sessions.size,
      inUse: this.#queue.inUse,
      largest: this.#queue.largest,
      maxSessions: this.#options.maxSessions,
      waiting: this.#queue.waiting,
      oldestMs: this.#queue.oldestMs(),
      exhausted: this.#exhausted,
      errors: this.#errors.toRecord(),
    };
  }

  /**
   * Finds the token and logs in, once. From then on it is the one of that serial number.
   *
   * @throws KeylessError "HSM_TOKEN", "HSM_PIN", "HSM_FAILED", "FILE_READ"
   */
  async open(): Promise<void> {
    const channel = this.#channel();
    const [info, slots] = await Promise.all([
      channel.ask("info", undefined),
      channel.ask("slots", undefined),
    ]);
    const { uri, readPin, refused } = this.#options;
    const known = this.#slot === undefined ? {} : { serial: this.#slot.token.serial };
    const slot = selectToken({ ...uri, ...known }, slots, info);
    await logIn(channel, slot, readPin(), refused);
    this.#slot = slot;
  }

  /**
   * The private keys that fit, after `open`.
   *
   * @throws KeylessError "HSM_FAILED"
   */
  findKeys(template: KeyTemplate): Promise<readonly FoundKey[]> {
    return this.#keys.find(this.#channel(), this.slot.slotId, template);
  }

  /**
   * Serves these of the keys that were found, after `open`.
   *
   * @throws KeylessError "HSM_FAILED"
   */
  async serve(keys: readonly ServedKey[]): Promise<void> {
    await this.#keys.serve(this.#channel(), keys);
    await this.#sessions.openLeast();
  }

  /** Has a request carried out; while the token is away it is refused at once. */
  perform(request: TokenRequest): void {
    const why = this.#whyRefused(request.key);
    if (why === undefined) this.#queue.push(request);
    else request.settle(replyOf("HSM_FAILED", why));
  }

  /** The module's process has been replaced, and the module is open. */
  processOpened(): void {
    this.#recovery.start("the PKCS#11 module was started again", this.#sessions.size === 0);
  }

  /** Uses the token no more; what waits is answered. */
  close(): void {
    this.#isClosed = true;
    this.#recovery.close();
    clearTimeout(this.#search);
    this.#queue.close();
    this.#sessions.close();
  }

  /** @throws KeylessError "HSM_FAILED" while there is no process */
  #channel(): ModuleChannel {
    const { channel } = this.#process;
    if (channel !== undefined) return channel;
    throw new KeylessError("HSM_FAILED", "the PKCS#11 module has no process for the moment");
  }

  #grow(): void {
    if (this.#recovery.isRunning) return;
    if (this.#sessions.size === 0) return this.#recovery.start("no session is open", true);
    if (this.#queue.backlogMs >= GROW_AT_MS) this.#sessions.grow(this.#queue.waiting);
  }

  /** What the session had waits until it is known whether the others are of use. */
  #lost(why: string, hasHung: boolean, key: number | undefined): void {
    this.#errors.add(why);
    if (key !== undefined) this.#suspects.set(key, why);
    this.#areHandlesOld ||= HANDLE_INVALID.test(why);
    this.#queue.pause();
    this.#recovery.start(why, this.#sessions.size === 0, hasHung);
  }

  async #look(): Promise<boolean> {
    const { slotId, token: { serial } } = this.slot;
    try {
      if (!await this.#channel().ask("isOpen", { slotId, serial })) return false;
    } catch { // so the process is gone
      return false;
    }
    this.#queue.resume();
    await this.#sessions.closeLost();
    return true;
  }

  async #mend(): Promise<void> {
    if (this.#areHandlesOld) {
      await this.#findKeysAgain();
      if (this.#keys.areAllMissing) throw new KeylessError("HSM_FAILED", "no key is there");
    }
    this.#blameSuspects();
    await this.#sessions.openLeast();
  }

  /** Each once for all sessions that ended together. */
  #blameSuspects(): void {
    for (const [key, why] of this.#suspects) {
      this.#faults.blame(key, why);
      const refusal = this.#faults.whyRefused(key);
      if (refusal !== undefined) this.#queue.fail("HSM_FAILED", refusal, key);
    }
    this.#suspects.clear();
  }

  async #reopen(): Promise<void> {
    this.#blameSuspects();
    await this.open();
    await this.#findKeysAgain();
    this.#queue.resume();
    await this.#sessions.openLeast();
  }

  async #findKeysAgain(): Promise<void> {
    this.#areHandlesOld = false;
    for (const key of await this.#keys.findAgain(this.#channel(), this.slot.slotId)) {
      this.#errors.add("a key is missing");
      this.#options.onKeyMissing?.(key);
    }
    this.#searchLater(FIRST_SEARCH_MS);
  }

  /** A token may be back before its objects are. */
  #searchLater(delayMs: number): void {
    clearTimeout(this.#search);
    if (this.#isClosed || this.#keys.missing.size === 0) return;
    this.#search = setTimeout(async () => {
      try {
        const { slotId } = this.slot;
        const found = this.#recovery.isRunning
          ? []
          : await this.#keys.findMissing(this.#channel(), slotId);
        for (const key of found) this.#options.onKeyBack?.(key);
      } catch (thrown) { // what is wrong besides is told by a session
        this.#errors.add(messageOf(thrown));
      }
      this.#searchLater(Math.min(2 * delayMs, MAX_SEARCH_MS));
    }, delayMs);
  }

  #failed(why: string, isNew: boolean): void {
    this.#errors.add(why);
    if (isNew) this.#options.onAway?.(why);
    this.#queue.fail("HSM_FAILED", this.#away());
  }

  /** Undefined where the key can be used. */
  #whyRefused(key: number): string | undefined {
    if (this.#recovery.isAway) return this.#away();
    if (this.#keys.missing.has(key)) return "the key is not on the token any more";
    return this.#faults.whyRefused(key);
  }

  #away(): string {
    return `the token cannot be used: ${this.#recovery.why}`;
  }
}

const GONE = "its token or its login is gone";
const HANDLE_INVALID = /CKR_(?:KEY|OBJECT)_HANDLE_INVALID/;

/** What waits would take so long with the sessions that are open. */
const GROW_AT_MS = 5;
const FIRST_SEARCH_MS = 1_000;
const MAX_SEARCH_MS = 5 * 60_000;
