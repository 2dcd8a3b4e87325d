import { Buffer } from "node:buffer";
import type { FoundKey } from "./module_calls.ts";
import type { ModuleChannel } from "./module_channel.ts";
import type { KeyName, KeyTemplate, ListedKey } from "./token_keys.ts";

/** Some of the keys that were asked for. */
export interface KeysPart {
  readonly keys: readonly FoundKey[];
  /** To ask for the rest by; undefined where these are the last. */
  readonly listing: number | undefined;
}

/**
 * The private keys that fit, after the login, in an order that is the same each time: by id, then by
 * label. A token with thousands takes minutes, so they are asked for in parts: one that does not come
 * tells a module that hangs from one that is slow.
 *
 * @throws KeylessError "HSM_FAILED"
 */
export async function findKeys(
  channel: Pick<ModuleChannel, "ask">,
  slotId: number,
  template: KeyTemplate,
): Promise<readonly FoundKey[]> {
  const found: FoundKey[] = [];
  let { keys, listing } = await channel.ask("findKeys", { slotId, template });
  found.push(...keys);
  while (listing !== undefined) {
    ({ keys, listing } = await channel.ask("moreKeys", { listing }));
    found.push(...keys);
  }
  return found.toSorted(compareNames);
}

/** The listings that have begun, in the thread that has the module. */
export class KeyListings {
  readonly #listings = new Map<number, Iterator<ListedKey | undefined>>();
  #next = 0;

  /** The first part. @param keys of `listKeys` */
  begin(keys: Iterator<ListedKey | undefined>): KeysPart {
    const listing = this.#next++;
    this.#listings.set(listing, keys);
    return this.more(listing);
  }

  /** What is read within a moment. */
  more(listing: number): KeysPart {
    const rest = this.#listings.get(listing);
    this.#listings.delete(listing); // it has ended where it throws
    const keys: FoundKey[] = [];
    const endMs = performance.now() + PART_MS;
    while (rest !== undefined && performance.now() < endMs) {
      const { done, value } = rest.next();
      if (done) return { keys, listing: undefined };
      if (value !== undefined) keys.push({ ...value, handle: new Uint8Array(value.handle) });
    }
    if (rest === undefined) throw new Error("this listing has ended");
    this.#listings.set(listing, rest);
    return { keys, listing };
  }
}

/** By bytes and code units, whatever the language of the machine. */
function compareNames(one: KeyName, other: KeyName): number {
  return Buffer.compare(one.id, other.id) ||
    Number(one.label > other.label) - Number(one.label < other.label);
}

const PART_MS = 250;
