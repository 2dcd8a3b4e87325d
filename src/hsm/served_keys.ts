import { toHex } from "../bytes/hex.ts";
import { findKeys } from "./key_listing.ts";
import type { FoundKey } from "./module_calls.ts";
import type { ModuleChannel } from "./module_channel.ts";
import type { KeyName, KeyTemplate } from "./token_keys.ts";

type Channel = Pick<ModuleChannel, "ask">;

/** A key that a pool serves: it is found again by its public half. */
export interface ServedKey extends KeyName {
  readonly number: number;
  readonly spki: Uint8Array;
}

/** The keys that are served from a token, and which of them it lacks. */
export class ServedKeys {
  readonly #keys = new Map<number, ServedKey>();
  readonly #missing = new Map<number, ServedKey>();
  /** What was looked for: the same finds the keys again. */
  readonly #templates = new Set<KeyTemplate>();
  /** What was found at the start, until its numbers are bound. */
  readonly #found: Handles = new Map();
  /** Counts `findAgain`: handles from before may be other keys' by now. */
  #generation = 0;

  /** Those that were not on the token when it was looked at last, by their numbers. */
  get missing(): ReadonlyMap<number, ServedKey> {
    return this.#missing;
  }

  /** Whether the token had none of them. */
  get areAllMissing(): boolean {
    return this.#keys.size > 0 && this.#missing.size === this.#keys.size;
  }

  /**
   * The private keys that fit; those of them that are served need not be looked for again.
   *
   * @throws KeylessError "HSM_FAILED"
   */
  find(
    channel: Channel,
    slotId: number,
    template: KeyTemplate,
  ): Promise<readonly FoundKey[]> {
    this.#templates.add(template);
    return findInto(this.#found, channel, slotId, template);
  }

  /**
   * Serves these from here on.
   *
   * @throws KeylessError "HSM_FAILED"
   */
  async serve(channel: Channel, keys: readonly ServedKey[]): Promise<void> {
    for (const key of keys) this.#keys.set(key.number, key);
    await this.#bind(channel, keys, this.#found);
    this.#found.clear();
  }

  /**
   * Binds each key's number to the object that has its public half now.
   *
   * @returns those that were there the last time, and are not
   * @throws KeylessError "HSM_FAILED"
   */
  findAgain(channel: Channel, slotId: number): Promise<readonly ServedKey[]> {
    this.#generation += 1;
    return this.#findThese(channel, slotId, [...this.#keys.values()]);
  }

  /**
   * The same for those that are missing alone: what is there is left as it is.
   *
   * @returns those that are there now
   */
  async findMissing(channel: Channel, slotId: number): Promise<readonly ServedKey[]> {
    const keys = [...this.#missing.values()];
    await this.#findThese(channel, slotId, keys);
    return keys.filter(({ number }) => !this.#missing.has(number));
  }

  async #findThese(
    channel: Channel,
    slotId: number,
    keys: readonly ServedKey[],
  ): Promise<readonly ServedKey[]> {
    const generation = this.#generation;
    const found: Handles = new Map();
    const templates = keys.length > FIND_ONE_BY_ONE ? this.#templates : keys.map(templateOf);
    for (const template of templates) await findInto(found, channel, slotId, template);
    return generation === this.#generation ? await this.#bind(channel, keys, found) : [];
  }

  async #bind(
    channel: Channel,
    keys: readonly ServedKey[],
    found: Handles,
  ): Promise<readonly ServedKey[]> {
    const bindings = keys.map(({ number, spki }) => ({ number, handle: found.get(toHex(spki)) }));
    await channel.ask("bindKeys", { keys: bindings });
    const lost: ServedKey[] = [];
    for (const [index, { number, handle }] of bindings.entries()) {
      if (handle !== undefined) this.#missing.delete(number);
      else if (!this.#missing.has(number)) lost.push(keys[index]!);
    }
    for (const key of lost) this.#missing.set(key.number, key);
    return lost;
  }
}

/** By public halves. */
type Handles = Map<string, Uint8Array>;

/** Where several keys have one public half it is the first that is used, each time. */
async function findInto(
  handles: Handles,
  channel: Channel,
  slotId: number,
  template: KeyTemplate,
): Promise<readonly FoundKey[]> {
  const found = await findKeys(channel, slotId, template);
  for (const { spki, handle } of found) {
    const half = spki && toHex(spki);
    if (half !== undefined && !handles.has(half)) handles.set(half, handle);
  }
  return found;
}

function templateOf({ id, label }: ServedKey): KeyTemplate {
  if (id.length > 0) return { id };
  return label.includes(NOT_UTF_8) ? {} : { label };
}

/** Stands for what cannot be given back to the token. */
const NOT_UTF_8 = "\ufffd";

/** More keys are looked for as they were at the start. */
const FIND_ONE_BY_ONE = 8;
