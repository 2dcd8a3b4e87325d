import { toHex } from "../bytes/hex.ts";
import type { KeyType } from "../crypto/scheme.ts";
import type { Attributes } from "./objects.ts";
import { typeOfSpki } from "./token_public_key.ts";

/** What objects are told apart by, besides their class: as the token has it. */
export type ObjectName = Attributes<"id" | "label">;

/** What may be the public half of a private key. */
export class Candidate {
  readonly name: ObjectName;
  readonly fullName: string;
  readonly #read: () => Uint8Array | undefined;
  #half: Half | undefined;

  /** @param read gives the SubjectPublicKeyInfo, DER; undefined where it cannot be read */
  constructor(name: ObjectName, read: () => Uint8Array | undefined) {
    this.name = name;
    this.fullName = fullName(name);
    this.#read = read;
  }

  /** Read where it is asked for: a token may have thousands of certificates. */
  get half(): Half {
    return this.#half ??= halfOf(this.#read());
  }
}

/** A public key, as far as it can be read. */
export interface Half {
  readonly spki: Uint8Array | undefined;
  /** Undefined of a key that cannot be served. */
  readonly type: KeyType | undefined;
  /** The same for the same key. */
  readonly digits: string;
}

/** Candidates by what they have in common with their keys. Copies of an object count as one. */
export class KeyCandidates {
  readonly #byName = new Map<string, Map<string, Candidate>>();

  /** @param contents what there is to be read */
  add(name: ObjectName, contents: Uint8Array, read: () => Uint8Array | undefined): void {
    const shared = sharedName(name);
    const others = this.#byName.get(shared) ?? new Map<string, Candidate>();
    this.#byName.set(shared, others);
    const content = `${fullName(name)} ${toHex(contents)}`;
    if (!others.has(content)) others.set(content, new Candidate(name, read));
  }

  /** Those that may belong to an object of this name. */
  of(name: ObjectName): readonly Candidate[] {
    return [...this.#byName.get(sharedName(name))?.values() ?? []];
  }

  has(name: ObjectName): boolean {
    return this.#byName.has(sharedName(name));
  }
}

/** What the objects that belong to a key have in common: the id, without one the label. */
export function sharedName({ id, label }: ObjectName): string {
  return id?.length ? `id ${toHex(id)}` : `label ${toHex(label ?? NONE)}`;
}

export function fullName({ id, label }: ObjectName): string {
  return `${toHex(id ?? NONE)} ${toHex(label ?? NONE)}`;
}

function halfOf(spki: Uint8Array | undefined): Half {
  if (spki === undefined) return { spki, type: undefined, digits: "" };
  return { spki, type: typeOfSpki(spki), digits: toHex(spki) };
}

const NONE = new Uint8Array();
