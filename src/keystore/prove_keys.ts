import { setTimeout as sleep } from "node:timers/promises";
import type { PublicKeyInfo } from "../crypto/public_key.ts";
import type { SignScheme } from "../crypto/scheme.ts";
import { defaultScheme, digestOf, verifySignature } from "../crypto/verify.ts";
import { KeylessError, messageOf } from "../errors/errors.ts";
import type { ErrorCode } from "../errors/table.ts";
import type { FileStore } from "./file_store.ts";
import type { Elsewhere } from "./software_signer.ts";

/** Keys by their positions, from 0 on. */
export interface ProvableKeys {
  readonly size: number;
  infoAt(position: number): PublicKeyInfo;
  /** Undefined of a key that does not sign: there is nothing to prove. */
  schemeOf(position: number): SignScheme | undefined;
  /** Throws or rejects with "QUEUE_FULL", "HSM_BUSY" or "HSM_FAILED" where it may succeed later. */
  sign(
    position: number,
    scheme: SignScheme,
    digest: Uint8Array,
    signal: AbortSignal,
  ): Promise<Uint8Array>;
  /** The key is used no more. */
  withdraw(position: number): void;
  /** What to do about a key that is withdrawn. */
  readonly mend: string;
}

export interface ProveKeysOptions {
  /** Ends it. The keys are not used any more when `done` resolves. */
  readonly signal: AbortSignal;
  /** Called for each key that fails. `why` is to be read behind the key's name. */
  readonly onFailure: (position: number, why: string) => void;
}

/** How far the proof of keys has come. */
export interface KeyProof {
  /** Keys that have not had their turn, whose signature was right, and that failed. */
  counts(): { readonly pending: number; readonly passed: number; readonly failed: number };
  /** Resolves when it is over, or was ended. */
  readonly done: Promise<void>;
}

/**
 * Has every key sign once, and verifies the signature with the key's public half, by other code than
 * that which signs. One key after the other, with rests, so that requests do not notice.
 *
 * A key whose signature is wrong is withdrawn: a client can do nothing with such a signature, and one
 * by RSA can give the key away, but an error sends it to another key server, and is counted. One that
 * cannot be proved (a thread died, or the runtime cannot verify for it) has failed and is served on.
 */
export function proveKeys(keys: ProvableKeys, options: ProveKeysOptions): KeyProof {
  const positions = Array.from({ length: keys.size }, (_, position) => position)
    .filter((position) => keys.schemeOf(position) !== undefined);
  const counts = { pending: positions.length, passed: 0, failed: 0 };
  /** @returns false where it has to be tried again */
  const prove = async (position: number) => {
    const verdict = await verdictOn(keys, position, options.signal);
    if (verdict === "later" || options.signal.aborted) return false;
    const isRight = verdict === "right";
    counts.pending -= 1;
    counts[isRight ? "passed" : "failed"] += 1;
    if (!isRight) options.onFailure(position, verdict.why);
    return true;
  };
  return { counts: () => ({ ...counts }), done: proveAll(positions, prove, options.signal) };
}

/** The keys of a store. @param place where they sign */
export function provableFileKeys(store: FileStore, place: Elsewhere): ProvableKeys {
  return {
    size: store.size,
    infoAt: (position) => store.at(position).info,
    schemeOf: (position) => defaultScheme(store.at(position).info),
    sign: (position, scheme, digest, signal) => {
      const key = store.keyAt(position);
      return place.sign(key, scheme, digest, key.info.costMs, { deadlineMs: Infinity, signal });
    },
    withdraw: (position) => store.withdraw(position),
    mend: "restore the file",
  };
}

async function proveAll(
  positions: readonly number[],
  prove: (position: number) => Promise<boolean>,
  signal: AbortSignal,
): Promise<void> {
  for (let left = positions; left.length > 0 && !signal.aborted;) {
    const again: number[] = [];
    for (const position of left) {
      const startedMs = performance.now();
      const isDone = await prove(position);
      if (!isDone) again.push(position);
      const restMs = REST * (performance.now() - startedMs);
      await rest(Math.min(isDone ? restMs : Math.max(restMs, LATER_MS), MAX_REST_MS), signal);
      if (signal.aborted) return;
    }
    left = again;
  }
}

async function verdictOn(
  keys: ProvableKeys,
  position: number,
  signal: AbortSignal,
): Promise<"right" | "later" | { readonly why: string }> {
  const scheme = keys.schemeOf(position)!;
  const digest = digestOf(scheme, MESSAGE);
  try {
    const signature = await keys.sign(position, scheme, digest, signal);
    if (verifySignature(keys.infoAt(position), scheme, MESSAGE, signature)) return "right";
  } catch (thrown) {
    if (thrown instanceof KeylessError && PASSING.has(thrown.code)) return "later";
    return { why: `cannot be proved to sign: ${messageOf(thrown)}` };
  }
  keys.withdraw(position);
  return { why: `makes signatures that do not verify, and is not used any more; ${keys.mend}` };
}

/** Ends early where the signal says so. */
async function rest(durationMs: number, signal: AbortSignal): Promise<void> {
  await sleep(durationMs, undefined, { signal }).catch(() => {});
}

const MESSAGE = new TextEncoder().encode("keyless: does this key sign?");

/** Times what a proof took. */
const REST = 4;
/** A machine that slept for an hour does not rest for four. */
const MAX_REST_MS = 1_000;
const LATER_MS = 100;
/** There is no room for it, or a token is away. */
const PASSING: ReadonlySet<ErrorCode> = new Set(["QUEUE_FULL", "HSM_BUSY", "HSM_FAILED"]);
