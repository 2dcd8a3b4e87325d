import { toHex } from "../bytes/hex.ts";
import { ckrOf } from "./cryptoki.ts";
import { findKeys } from "./key_listing.ts";
import type { FoundKey, KeyBinding } from "./module_calls.ts";
import type { ModuleChannel } from "./module_channel.ts";
import { isProven, type SignSample } from "./object_proof.ts";
import type { KeyName, KeyTemplate } from "./token_keys.ts";
import type { UsableKey } from "./usable_key.ts";

type Channel = Pick<ModuleChannel, "ask">;

/** A key that a pool serves: it is found again by its public half. */
export interface ServedKey extends KeyName, UsableKey {
  readonly number: number;
}

/** The keys that are served from a token, and which of them it lacks. */
export class ServedKeys {
  readonly #keys = new Map<number, ServedKey>();
  readonly #missing = new Map<number, ServedKey>();
  /** What was looked for: the same finds the keys again. */
  readonly #templates = new Set<KeyTemplate>();
  /** What was found at the start, until its numbers are bound. */
  readonly #found: FoundKeys = new Map();
  /** In whose proof the module's process has ended. */
  readonly #deadly = new Set<number>();
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
    await this.#bind(
      channel,
      keys,
      keys.map((key) => {
        return { number: key.number, handle: objectsFor(key, this.#found)[0]?.handle };
      }),
    );
    this.#found.clear();
  }

  /**
   * Binds each key's number to the object that has its public half now. Where what stands beside the
   * object tells so, it signs first, and is not bound where the signature is another key's.
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
    const found: FoundKeys = new Map();
    const templates = keys.length > FIND_ONE_BY_ONE ? this.#templates : keys.map(templateOf);
    for (const template of templates) await findInto(found, channel, slotId, template);
    const bindings: KeyBinding[] = [];
    for (const key of keys) {
      const handle = await this.#provenHandle(channel, slotId, key, objectsFor(key, found));
      bindings.push({ number: key.number, handle });
    }
    return generation === this.#generation ? await this.#bind(channel, keys, bindings) : [];
  }

  /** That of the first object that is the key. */
  async #provenHandle(
    channel: Channel,
    slotId: number,
    key: ServedKey,
    objects: readonly FoundKey[],
  ): Promise<Uint8Array | undefined> {
    for (const object of objects) {
      const { handle } = object;
      let isAsked = false;
      const sign: SignSample = (sample) =>
        channel.ask("sign", { slotId, handle, ...sample }, () => isAsked = true);
      try {
        const isDeadly = this.#deadly.has(key.number);
        if (await isProven(key, object, isDeadly ? undefined : sign)) return handle;
      } catch (thrown) {
        const isAnswered = ckrOf(thrown) !== undefined;
        if (isAsked && !isAnswered) this.#deadly.add(key.number);
        throw thrown;
      }
    }
    return undefined;
  }

  async #bind(
    channel: Channel,
    keys: readonly ServedKey[],
    bindings: readonly KeyBinding[],
  ): Promise<readonly ServedKey[]> {
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
type FoundKeys = Map<string, FoundKey[]>;

async function findInto(
  byHalf: FoundKeys,
  channel: Channel,
  slotId: number,
  template: KeyTemplate,
): Promise<readonly FoundKey[]> {
  const found = await findKeys(channel, slotId, template);
  for (const key of found) {
    if (key.spki === undefined) continue;
    const half = toHex(key.spki);
    byHalf.set(half, [...byHalf.get(half) ?? [], key]);
  }
  return found;
}

/** Those with the key's public half, in the same order each time: those with its name come first. */
function objectsFor(key: ServedKey, found: FoundKeys): readonly FoundKey[] {
  const isNamed = ({ id, label }: FoundKey) => label === key.label && toHex(id) === toHex(key.id);
  const objects = found.get(toHex(key.info.spki)) ?? [];
  return objects.toSorted((one, other) => Number(isNamed(other)) - Number(isNamed(one)));
}

function templateOf({ id, label }: ServedKey): KeyTemplate {
  if (id.length > 0) return { id };
  return label.includes(NOT_UTF_8) ? {} : { label };
}

/** Stands for what cannot be given back to the token. */
const NOT_UTF_8 = "\ufffd";

/** More keys are looked for as they were at the start. */
const FIND_ONE_BY_ONE = 8;
