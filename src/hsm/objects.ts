/** Objects of a token and their attributes, by the calls that pkcs11js has for them. */
import { Buffer } from "node:buffer";
import type { Attribute, PKCS11 } from "pkcs11js";
import { ckrOf, type Handle, SESSION_GONE } from "./cryptoki.ts";

/** A module's functions, and a session to call them in. */
export interface OpenSession {
  readonly lib: PKCS11;
  readonly session: Handle;
}

/** What an object must have to be found: `Attribute` of pkcs11js. */
export type TemplatePart = Attribute;

/** Attributes by the names that stand in `ATTRIBUTE_TYPES`; one that an object lacks is undefined. */
export type Attributes<Name extends AttributeName> = { readonly [N in Name]: Buffer | undefined };

/**
 * Finds the objects that fit a template.
 *
 * graphene's `find` makes a call and an object for each; here a call brings a hundred.
 */
export function findObjects(
  { lib, session }: OpenSession,
  template: readonly TemplatePart[],
): Handle[] {
  lib.C_FindObjectsInit(session, [...template]);
  try {
    const found: Handle[] = [];
    for (;;) {
      const more = lib.C_FindObjects(session, FIND_AT_ONCE);
      found.push(...more);
      if (more.length < FIND_AT_ONCE) return found;
    }
  } finally {
    lib.C_FindObjectsFinal(session);
  }
}

/**
 * Reads the same attributes of one object after the other. Those that an object lacks, or does not
 * reveal, are undefined, whatever the token says of it: an odd object is no reason to do without all
 * others.
 *
 * Attributes are read together, by two calls of C_GetAttributeValue, one of them for the lengths; but
 * each that an object was found to lack by itself from then on.
 */
export class AttributeReader<Name extends AttributeName> {
  readonly #open: OpenSession;
  #usual: readonly Name[];
  #seldom: readonly Name[] = [];

  constructor(open: OpenSession, names: readonly Name[]) {
    this.#open = open;
    this.#usual = names;
  }

  /** @throws what the module does where the session or the token is gone */
  read(object: Handle): Attributes<Name> {
    const values: Values<Name> = {};
    const alone = this.#seldom;
    if (!this.#readInto(values, object, this.#usual)) {
      const lacking = this.#usual.filter((name) => !this.#readInto(values, object, [name]));
      const isOdd = lacking.length === this.#usual.length; // the object itself cannot be read
      if (!isOdd) {
        this.#usual = this.#usual.filter((name) => !lacking.includes(name));
        this.#seldom = [...alone, ...lacking];
      }
    }
    for (const name of alone) this.#readInto(values, object, [name]);
    return values as Attributes<Name>;
  }

  /** @returns false where at least one is not to be had: the module does not say which */
  #readInto(
    values: Values<Name>,
    object: Handle,
    names: readonly Name[],
  ): boolean {
    const { lib, session } = this.#open;
    const template = names.map((name) => ({ type: ATTRIBUTE_TYPES[name] }));
    try {
      const read = lib.C_GetAttributeValue(session, object, template);
      for (const [index, name] of names.entries()) values[name] = read[index]!.value;
      return true;
    } catch (thrown) {
      if (SESSION_GONE.has(ckrOf(thrown) ?? "")) throw thrown; // no other object can be read either
      return false;
    }
  }
}

type Values<Name extends AttributeName> = Partial<Record<Name, Buffer | undefined>>;

export function classIs(name: keyof typeof OBJECT_CLASSES): TemplatePart {
  return { type: ATTRIBUTE_TYPES.class, value: ulong(OBJECT_CLASSES[name]) };
}

/** @param number CK_KEY_TYPE */
export function keyTypeIs(number: number): TemplatePart {
  return { type: ATTRIBUTE_TYPES.keyType, value: ulong(number) };
}

/** Bytes as the token has them; what is undefined is not asked for. */
export function nameIs({ id, label }: Partial<Attributes<"id" | "label">>): TemplatePart[] {
  return [
    ...(id === undefined ? [] : [{ type: ATTRIBUTE_TYPES.id, value: id }]),
    ...(label === undefined ? [] : [{ type: ATTRIBUTE_TYPES.label, value: label }]),
  ];
}

export function readUlong(value: Buffer | undefined): number | undefined {
  return value?.length === 8 ? Number(value.readBigUInt64LE()) : undefined;
}

function ulong(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

/** pkcs11t.h; written out, so that nothing is loaded to know them. */
export const ATTRIBUTE_TYPES = {
  class: 0x000,
  label: 0x003,
  value: 0x011,
  keyType: 0x100,
  id: 0x102,
  decrypt: 0x105,
  sign: 0x108,
  modulus: 0x120,
  publicExponent: 0x122,
  publicKeyInfo: 0x129,
  extractable: 0x162,
  ecParams: 0x180,
  ecPoint: 0x181,
  alwaysAuthenticate: 0x202,
  allowedMechanisms: 0x40000600,
} as const;

export type AttributeName = keyof typeof ATTRIBUTE_TYPES;

export const OBJECT_CLASSES = { data: 0, cert: 1, public: 2, private: 3, "secret-key": 4 } as const;

const FIND_AT_ONCE = 100;
