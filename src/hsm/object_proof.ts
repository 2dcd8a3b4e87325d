import { digestOf, verifySignature } from "../crypto/verify.ts";
import { KeylessError } from "../errors/errors.ts";
import type { Sample } from "./carry_out.ts";
import { sampleScheme } from "./key_schemes.ts";
import type { FoundKey } from "./module_calls.ts";
import type { UsableKey } from "./usable_key.ts";

/** Gives undefined where the object makes no signature. */
export type SignSample = (sample: Omit<Sample, "handle">) => Promise<Uint8Array | undefined>;

/**
 * Whether an object tells by itself that it is the key, or signs as the key does. Where it cannot be
 * tried, its name has to do, if no other has it.
 *
 * @param sign undefined where it must not be tried
 */
export async function isProven(
  { info, mechanisms }: UsableKey,
  { spkiFrom, namesakes = 1 }: FoundKey,
  sign: SignSample | undefined,
): Promise<boolean> {
  if (spkiFrom === "private key") return true;
  const scheme = sampleScheme(info, mechanisms);
  if (scheme === undefined || sign === undefined) return namesakes === 1;
  const shape = { type: info.type, bits: info.bits };
  const signature = await sign({ shape, scheme, bytes: digestOf(scheme, MESSAGE) });
  if (signature === undefined) return false;
  try {
    return verifySignature(info, scheme, MESSAGE, signature);
  } catch (thrown) {
    if (thrown instanceof KeylessError) return namesakes === 1; // this runtime cannot verify it
    throw thrown;
  }
}

const MESSAGE = new TextEncoder().encode("keyless: is this the key?");
