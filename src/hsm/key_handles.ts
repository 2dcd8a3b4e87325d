import { type Handle, toHandle } from "./cryptoki.ts";

/**
 * The handles of keys, by numbers of our own, in memory that all threads of a module's process share.
 *
 * A request names its key by the number, because handles change when a token was away or its process
 * is another: one from before could be another key's.
 */
export class KeyHandles {
  readonly memory: SharedArrayBuffer;
  readonly #handles: BigUint64Array;
  readonly #known = new Map<number, { readonly value: bigint; readonly handle: Handle }>();

  /** @param memory of another thread's table; a new one is made without it */
  constructor(memory = new SharedArrayBuffer(MAX_KEYS * 8)) {
    this.memory = memory;
    this.#handles = new BigUint64Array(memory);
  }

  /** Undefined where no key has the number. Handle 0 is never valid (PKCS #11 base 2.40, 3.4). */
  get(number: number): Handle | undefined {
    const value = this.#handles[number] ?? 0n;
    if (value === 0n) return undefined;
    const known = this.#known.get(number);
    if (known?.value === value) return known.handle;
    const handle = toHandle(value);
    this.#known.set(number, { value, handle });
    return handle;
  }

  /** @param handle undefined to forget the key */
  set(number: number, handle: Handle | undefined): void {
    this.#handles[number] = handle?.readBigUInt64LE() ?? 0n;
  }
}

/** Of all tokens of a module together: 512 KiB of handles. */
export const MAX_KEYS = 65_536;
