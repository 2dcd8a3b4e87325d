import { toHex } from "../src/bytes/hex.ts";
import type { PublicKeyInfo } from "../src/crypto/public_key.ts";

/** A key in the JSON documents of all commands. `curve` is null for keys that are not EC. */
export function keyFields({ type, bits, curve, ski }: PublicKeyInfo): object {
  return { type, bits, curve: curve ?? null, ski: toHex(ski) };
}
