import type { Scheme } from "../crypto/scheme.ts";
import { KeylessError } from "../errors/errors.ts";
import { printable } from "../errors/printable.ts";
import type { SessionReply } from "./batch.ts";
import type { ModuleProcess } from "./module_process.ts";
import { replyOf, type TokenRequest } from "./session_queue.ts";
import { type SharedHsmKeys, shareHsmKeys } from "./shared_hsm_keys.ts";
import type { KeyName } from "./token_keys.ts";
import type { TokenLoad, TokenPool } from "./token_pool.ts";
import type { UsableKey } from "./usable_key.ts";

/** A key that the store serves. */
export interface HsmKey extends UsableKey {
  /** The path of the URI that brought it; printable. */
  readonly entry: string;
  /** Label and id, printable. */
  readonly name: string;
}

/** A token in use. */
export interface HsmTokenState extends TokenLoad {
  /** Its label. */
  readonly token: string;
  readonly serial: string;
}

export interface HsmModuleState {
  readonly path: string;
  /** How many of its processes have died so far. */
  readonly deaths: number;
}

/** Keys in tokens. */
export class HsmStore {
  readonly keys: readonly HsmKey[];
  readonly #keys: readonly PlacedKey[];
  readonly #modules: readonly OpenModule[];
  readonly #withdrawn = new Set<number>();

  /** Use `openHsmStore`. */
  constructor(modules: readonly OpenModule[], keys: readonly PlacedKey[]) {
    this.#modules = modules;
    this.#keys = keys;
    this.keys = keys;
  }

  get size(): number {
    return this.keys.length;
  }

  /** The keys for other threads. */
  share(): SharedHsmKeys {
    return shareHsmKeys(this.keys);
  }

  /** Has the key at a position carry a request out; what does not fit the key is refused. */
  perform(
    position: number,
    asked: Omit<TokenRequest, "key" | "shape">,
  ): void {
    const key = this.#keys[position];
    if (key === undefined) return asked.settle(replyOf("SIGN_FAILED", "there is no such key"));
    if (this.#withdrawn.has(position)) return asked.settle(replyOf("KEY_WITHDRAWN", WITHDRAWN));
    key.pool.perform({ ...asked, key: key.number, shape: key.info });
  }

  /**
   * The same, for this thread.
   *
   * @param connection who asks
   * @throws KeylessError "SIGN_REFUSED", "SIGN_FAILED", "HSM_BUSY", "HSM_FAILED", "ABORTED",
   *   "KEY_WITHDRAWN"
   */
  async sign(
    position: number,
    scheme: Scheme,
    bytes: Uint8Array,
    connection: TokenRequest["connection"] = this,
  ): Promise<Uint8Array> {
    const { outcome, bytes: made } = await new Promise<SessionReply>((settle) =>
      this.perform(position, { scheme, bytes, connection, deadlineMs: Infinity, settle })
    );
    if (outcome === "made") return made;
    throw new KeylessError(outcome, new TextDecoder().decode(made));
  }

  /** Nobody who asks for `sign` gives up. */
  readonly aborted = false;

  /** Requests for the key are refused from here on. */
  withdraw(position: number): void {
    this.#withdrawn.add(position);
  }

  tokens(): readonly HsmTokenState[] {
    return this.#modules.flatMap(({ pools }) =>
      pools.map((pool) => {
        const { label, serial } = pool.slot.token;
        return { token: printable(label), serial: printable(serial), ...pool.load() };
      })
    );
  }

  modules(): readonly HsmModuleState[] {
    return this.#modules.map(({ path, process }) => ({ path, deaths: process.deaths }));
  }

  /** Ends the modules' processes, after the calls in their hands. Safe to call twice. */
  async close(): Promise<void> {
    await Promise.all(this.#modules.map(async ({ process, pools }) => {
      for (const pool of pools) pool.close();
      await process.stop();
    }));
  }
}

/** A module that is open, and the pools of its tokens. */
export interface OpenModule {
  readonly path: string;
  readonly process: ModuleProcess;
  readonly pools: TokenPool[];
}

/** A key, and where requests for it go. */
export interface PlacedKey extends HsmKey, KeyName {
  readonly pool: TokenPool;
  /** In its module's process. */
  readonly number: number;
}

const WITHDRAWN = "the key was withdrawn: its signatures do not verify";
