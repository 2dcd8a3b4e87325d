import { Buffer } from "node:buffer";
import type { KeyType } from "../crypto/scheme.ts";
import type { Handle } from "./cryptoki.ts";
import { fullName } from "./key_candidates.ts";
import {
  type AttributeName,
  AttributeReader,
  type Attributes,
  classIs,
  findObjects,
  nameIs,
  type OpenSession,
  readUlong,
} from "./objects.ts";
import { Neighbours } from "./token_neighbours.ts";
import { HALF_ATTRIBUTES, KEY_TYPES, spkiOfAttributes, typeOfSpki } from "./token_public_key.ts";

/** Which private keys are wanted: all that fit every attribute. */
export interface KeyTemplate {
  readonly id?: Uint8Array | undefined;
  readonly label?: string | undefined;
}

/** What a key is called. */
export interface KeyName {
  readonly id: Uint8Array;
  readonly label: string;
}

/** A private key on a token, as it is told to the main program. */
export interface TokenKey extends KeyName {
  /** CK_KEY_TYPE; `KEY_TYPES` names those that can be served. */
  readonly keyType: number;
  /** SubjectPublicKeyInfo, DER; undefined where the token has nothing that tells it. */
  readonly spki: Uint8Array | undefined;
  /** Where the public key was read from. */
  readonly spkiFrom: "public key" | "certificate" | "private key" | undefined;
  /** Public keys or certificates of which one may be the key's own, but which one cannot be told. */
  readonly rivals?: readonly KeyName[] | undefined;
  /** How many private keys have its type, id and label, and nothing else that tells them apart. */
  readonly namesakes?: number | undefined;
  readonly hasCertificate: boolean;
  readonly canSign: boolean;
  readonly canDecrypt: boolean;
  /** Undefined where the token does not say. */
  readonly isExtractable: boolean | undefined;
  /** The token asks for the PIN before every use. */
  readonly isAlwaysAuthenticated: boolean;
  /** CK_MECHANISM_TYPE; undefined where every mechanism of the token may be used. */
  readonly allowedMechanisms: readonly number[] | undefined;
}

/** With its handle. */
export type ListedKey = TokenKey & { readonly handle: Handle };

/**
 * The private keys that fit, and their public halves: what a key tells of itself, else its public key,
 * else its certificate. Yields after each object that it has read, a key or nothing: there may be
 * thousands, and each takes as long as the token does.
 *
 * @throws what the module does where the session or the token is gone
 */
export function* listKeys(
  open: OpenSession,
  { id, label }: KeyTemplate,
): Generator<ListedKey | undefined> {
  const name = nameIs({
    id: id === undefined ? undefined : Buffer.from(id),
    label: label === undefined ? undefined : Buffer.from(label),
  });
  const reader = new PrivateKeyReader(open);
  const keys: PrivateKey[] = [];
  for (const handle of findObjects(open, [classIs("private"), ...name])) {
    const key = reader.read(handle);
    if (key !== undefined) keys.push(key);
    yield;
  }
  const silent = keys.flatMap(({ type, told }) => told === undefined && type || []);
  const names = keys.map(({ attributes }) => attributes);
  const beside = yield* Neighbours.read(open, names, new Set(silent));
  const byGuise = Map.groupBy(keys, guiseOf); // what a template fits, its namesakes fit, too
  for (const key of keys) {
    const { length } = byGuise.get(guiseOf(key))!;
    yield { ...describeKey(key, beside), namesakes: length > 1 ? length : undefined };
  }
}

interface PrivateKey {
  readonly handle: Handle;
  readonly attributes: Attributes<(typeof PRIVATE_ATTRIBUTES)[number]>;
  /** Undefined of a key that cannot be served. */
  readonly type: KeyType | undefined;
  /** SubjectPublicKeyInfo, by its own attributes. */
  readonly told: Uint8Array | undefined;
  readonly modulus: Uint8Array | undefined;
}

class PrivateKeyReader {
  readonly #attributes: AttributeReader<(typeof PRIVATE_ATTRIBUTES)[number]>;
  readonly #halves: ReadonlyMap<KeyType, AttributeReader<AttributeName>>;

  constructor(open: OpenSession) {
    this.#attributes = new AttributeReader(open, PRIVATE_ATTRIBUTES);
    this.#halves = new Map(
      [...KEY_TYPES.values()].map((type) => {
        return [type, new AttributeReader<AttributeName>(open, HALF_ATTRIBUTES[type])];
      }),
    );
  }

  /** Undefined where nothing can be read: it may be gone already. */
  read(handle: Handle): PrivateKey | undefined {
    const attributes = this.#attributes.read(handle);
    if (Object.keys(attributes).length === 0) return undefined;
    const type = KEY_TYPES.get(readUlong(attributes.keyType) ?? -1);
    if (type === undefined) {
      return { handle, attributes, type, told: undefined, modulus: undefined };
    }
    const half = this.#halves.get(type)!.read(handle);
    const spki = spkiOfAttributes(type, half);
    const told = spki !== undefined && typeOfSpki(spki) === type ? spki : undefined;
    return {
      handle,
      attributes,
      type,
      told,
      modulus: half.modulus?.length ? half.modulus : undefined,
    };
  }
}

/** The same for keys that nothing tells apart. */
function guiseOf(key: PrivateKey): unknown {
  const { attributes, type, told, modulus } = key;
  const isTold = type === undefined || told !== undefined || modulus !== undefined;
  return isTold ? key : `${type} ${fullName(attributes)}`;
}

function describeKey(key: PrivateKey, beside: Neighbours): ListedKey {
  const { handle, attributes } = key;
  const { allowedMechanisms } = attributes;
  return {
    handle,
    ...nameOf(attributes),
    keyType: readUlong(attributes.keyType) ?? -1,
    ...publicHalfOf(key, beside),
    hasCertificate: beside.hasCertificate(attributes),
    canSign: flag(attributes.sign) ?? false,
    canDecrypt: flag(attributes.decrypt) ?? false,
    isExtractable: flag(attributes.extractable),
    isAlwaysAuthenticated: flag(attributes.alwaysAuthenticate) ?? false,
    allowedMechanisms: allowedMechanisms?.length ? numbersOf(allowedMechanisms) : undefined,
  };
}

function publicHalfOf(
  { attributes, type, told, modulus }: PrivateKey,
  beside: Neighbours,
): Pick<TokenKey, "spki" | "spkiFrom" | "rivals"> {
  if (type === undefined) return { spki: undefined, spkiFrom: undefined };
  if (told !== undefined) return { spki: told, spkiFrom: "private key" };
  const wanted = { ...attributes, type, modulus };
  const publicKey = beside.publicKeyOf(wanted);
  if (publicKey.spki !== undefined) return { spki: publicKey.spki, spkiFrom: "public key" };
  const certificate = beside.certifiedKeyOf(wanted);
  const rivals = [...publicKey.rivals, ...certificate.rivals].map(nameOf);
  // a choice that is not clear is not made by something that says less
  if (publicKey.rivals.length === 0 && certificate.spki !== undefined) {
    return { spki: certificate.spki, spkiFrom: "certificate" };
  }
  return {
    spki: rivals.length > 0 ? undefined : publicKey.odd ?? certificate.odd,
    spkiFrom: undefined,
    rivals,
  };
}

function nameOf({ id, label }: Attributes<"id" | "label">): KeyName {
  return { id: new Uint8Array(id ?? []), label: label?.toString() ?? "" };
}

function flag(value: Buffer | undefined): boolean | undefined {
  return value?.length ? value[0] !== 0 : undefined;
}

function numbersOf(value: Buffer): readonly number[] {
  const count = Math.floor(value.length / 8);
  return Array.from({ length: count }, (_, index) => Number(value.readBigUInt64LE(index * 8)));
}

const PRIVATE_ATTRIBUTES = [
  "id",
  "label",
  "keyType",
  "sign",
  "decrypt",
  "extractable",
  "alwaysAuthenticate",
  "allowedMechanisms",
] as const satisfies readonly AttributeName[];
