import { digestOf, verifySignature } from "../src/crypto/verify.ts";
import { KeylessError, messageOf } from "../src/errors/errors.ts";
import type { HsmKey, HsmStore } from "../src/hsm/hsm_store.ts";
import { sampleScheme } from "../src/hsm/key_schemes.ts";

/**
 * Has each key of the tokens sign once, and verifies the signature.
 *
 * @returns a failure for each key that cannot, or whose signature is wrong
 */
export async function proveTokenKeys(store: HsmStore): Promise<readonly KeylessError[]> {
  const failures: KeylessError[] = [];
  const keys = store.keys.entries(); // of all lanes: each takes the next
  const lane = async () => {
    for (const [position, key] of keys) {
      const failure = await prove(store, key, position);
      if (failure !== undefined) failures.push(failure);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return failures;
}

async function prove(
  store: HsmStore,
  key: HsmKey,
  position: number,
): Promise<KeylessError | undefined> {
  const scheme = sampleScheme(key.info, key.mechanisms);
  if (scheme === undefined) return undefined; // it decrypts alone
  const refused = (code: KeylessError["code"], why: string) =>
    new KeylessError(code, `${key.entry}: the key ${key.name} ${why}`);
  try {
    const signature = await store.sign(position, scheme, digestOf(scheme, MESSAGE));
    if (verifySignature(key.info, scheme, MESSAGE, signature)) return undefined;
    return refused("CHECK_FAILED", "makes signatures that do not verify");
  } catch (thrown) {
    const code = thrown instanceof KeylessError ? thrown.code : "INTERNAL";
    return refused(code, `cannot sign: ${messageOf(thrown)}`);
  }
}

/** More would wait for sessions, and in vain where there are thousands of slow keys. */
const AT_ONCE = 4;

const MESSAGE = new TextEncoder().encode("keyless config check");
