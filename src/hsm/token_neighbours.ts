import { toHex } from "../bytes/hex.ts";
import { rsaModulus } from "../crypto/public_key.ts";
import type { KeyType } from "../crypto/scheme.ts";
import {
  type Candidate,
  fullName,
  KeyCandidates,
  type ObjectName,
  sharedName,
} from "./key_candidates.ts";
import {
  type AttributeName,
  AttributeReader,
  classIs,
  findObjects,
  keyTypeIs,
  nameIs,
  type OpenSession,
  type TemplatePart,
} from "./objects.ts";
import {
  HALF_ATTRIBUTES,
  KEY_TYPES,
  spkiOfAttributes,
  spkiOfCertificate,
} from "./token_public_key.ts";

/** What was found of a private key's public half. */
export interface PublicHalf {
  /** SubjectPublicKeyInfo, DER; undefined where there is none, or it cannot be told which it is. */
  readonly spki: Uint8Array | undefined;
  /** Those among which it cannot be told. */
  readonly rivals: readonly ObjectName[];
  /** Where there is none: what stands in its place, and is no key that can be served. */
  readonly odd: Uint8Array | undefined;
}

/** Whose public half is looked for. */
export interface Wanted extends ObjectName {
  readonly type: KeyType;
  /** Of an RSA key, where it tells that. */
  readonly modulus: Uint8Array | undefined;
}

/** The public keys, certificates and other private keys that stand beside private keys. */
export class Neighbours {
  readonly #publicKeys = new KeyCandidates();
  readonly #certificates = new KeyCandidates();
  /** Types and names of the private keys. */
  readonly #taken = new Set<string>();

  /**
   * Reads those that have one of the names; all, where these are many. Yields after each object.
   *
   * @param types of the keys that do not tell their public halves themselves
   */
  static *read(
    open: OpenSession,
    names: readonly ObjectName[],
    types: ReadonlySet<KeyType>,
  ): Generator<undefined, Neighbours> {
    const beside = new Neighbours();
    for (const template of templatesOf(names)) {
      for (const [number, type] of KEY_TYPES) {
        if (types.has(type)) yield* beside.#readKeys(open, type, [keyTypeIs(number), ...template]);
      }
      yield* beside.#readCertificates(open, template);
    }
    return beside;
  }

  hasCertificate(name: ObjectName): boolean {
    return this.#certificates.has(name);
  }

  /** Of the public keys. */
  publicKeyOf(wanted: Wanted): PublicHalf {
    return this.#choose(wanted, this.#publicKeys.of(wanted));
  }

  /** Of the certificates. */
  certifiedKeyOf(wanted: Wanted): PublicHalf {
    return this.#choose(wanted, this.#certificates.of(wanted));
  }

  /**
   * An id is for the halves of a pair, but some tokens have pairs that share one: then the label
   * tells, and what has the label of another private key is that one's.
   */
  #choose(wanted: Wanted, candidates: readonly Candidate[]): PublicHalf {
    const fitting = candidates.filter((each) => fits(wanted, each));
    const own = fitting.filter((each) => each.fullName === fullName(wanted));
    const chosen = own.length > 0
      ? own
      : fitting.filter((each) => !this.#taken.has(`${wanted.type} ${each.fullName}`));
    const keys = new Map(chosen.map((each) => [each.half.digits, each]));
    const [first] = keys.values();
    return {
      spki: keys.size === 1 ? first!.half.spki : undefined,
      rivals: keys.size > 1 ? Array.from(keys.values(), ({ name }) => name) : [],
      odd: candidates.find(({ half }) => half.type === undefined)?.half.spki,
    };
  }

  *#readKeys(
    open: OpenSession,
    type: KeyType,
    template: readonly TemplatePart[],
  ): Generator<undefined> {
    const names = new AttributeReader(open, NAME);
    for (const handle of findObjects(open, [classIs("private"), ...template])) {
      this.#taken.add(`${type} ${fullName(names.read(handle))}`);
      yield;
    }
    const reader = new AttributeReader<AttributeName>(open, [...NAME, ...HALF_ATTRIBUTES[type]]);
    for (const handle of findObjects(open, [classIs("public"), ...template])) {
      const read = reader.read(handle);
      const spki = spkiOfAttributes(type, read);
      if (spki !== undefined) this.#publicKeys.add(read, spki, () => spki);
      yield;
    }
  }

  *#readCertificates(
    open: OpenSession,
    template: readonly TemplatePart[],
  ): Generator<undefined> {
    const reader = new AttributeReader(open, [...NAME, "value"]);
    for (const handle of findObjects(open, [classIs("cert"), ...template])) {
      const read = reader.read(handle);
      const { value } = read;
      if (value?.length) this.#certificates.add(read, value, () => spkiOfCertificate(value));
      yield;
    }
  }
}

function fits({ type, modulus }: Wanted, { half: { spki, type: its } }: Candidate): boolean {
  if (spki === undefined || its !== type) return false;
  return modulus === undefined || toHex(rsaModulus(spki)) === toHex(modulus).replace(/^(00)+/, "");
}

/** What to look for: every name once, or everything. */
function templatesOf(names: readonly ObjectName[]): readonly (readonly TemplatePart[])[] {
  const distinct = new Map(names.map((name) => [sharedName(name), name]));
  const hasNameless = names.some(({ id, label }) => !id?.length && !label?.length);
  if (distinct.size > FIND_ONE_BY_ONE || hasNameless) return [[]];
  return [...distinct.values()].map(({ id, label }) => nameIs(id?.length ? { id } : { label }));
}

const NAME = ["id", "label"] as const;

/** For more names all objects of the token are read. */
const FIND_ONE_BY_ONE = 8;
