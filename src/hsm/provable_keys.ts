import { KeylessError } from "../errors/errors.ts";
import type { ProvableKeys } from "../keystore/prove_keys.ts";
import type { HsmStore } from "./hsm_store.ts";
import { sampleScheme } from "./key_schemes.ts";

/**
 * The keys of tokens, to be proved to sign: what the token has as a key's public half may be that of
 * another key.
 */
export function provableTokenKeys(
  store: Pick<HsmStore, "keys" | "size" | "sign" | "withdraw">,
): ProvableKeys {
  return {
    size: store.size,
    infoAt: (position) => store.keys[position]!.info,
    schemeOf: (position) => {
      const { info, mechanisms } = store.keys[position]!;
      return sampleScheme(info, mechanisms);
    },
    sign: (position, scheme, digest, signal) =>
      orAborted(store.sign(position, scheme, digest, signal), signal),
    withdraw: (position) => store.withdraw(position),
    mend: "what stands on the token as its public key or certificate is another key's: see " +
      "keyless hsm keys",
  };
}

/** A token may take long to answer. */
async function orAborted<Made>(work: Promise<Made>, signal: AbortSignal): Promise<Made> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(new KeylessError("ABORTED", "nobody waits for the answer any more"));
  signal.addEventListener("abort", onAbort);
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
