import { setTimeout as sleep } from "node:timers/promises";
import { defaultScheme, digestOf, verifySignature } from "../crypto/verify.ts";
import { KeylessError, messageOf } from "../errors/errors.ts";
import type { FileStore } from "./file_store.ts";
import type { StoredKey } from "./key_table.ts";
import type { Elsewhere } from "./software_signer.ts";

export interface ProveKeysOptions {
  /** Ends it. The store and the place are not used any more when `done` resolves. */
  readonly signal: AbortSignal;
  /** Called for each key that fails. `why` is to be read behind the key's path. */
  readonly onFailure: (key: StoredKey, why: string) => void;
}

/** How far the proof of a store's keys has come. */
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
 *
 * @param place where the keys sign
 */
export function proveKeys(
  store: FileStore,
  place: Elsewhere,
  options: ProveKeysOptions,
): KeyProof {
  const counts = { pending: store.size, passed: 0, failed: 0 };
  const prove = async (position: number) => {
    const why = await failureOf(store, position, place, options.signal);
    if (options.signal.aborted) return;
    counts.pending -= 1;
    counts[why === undefined ? "passed" : "failed"] += 1;
    if (why !== undefined) options.onFailure(store.at(position), why);
  };
  return { counts: () => ({ ...counts }), done: proveAll(store.size, prove, options.signal) };
}

async function proveAll(
  count: number,
  prove: (position: number) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  for (let position = 0; position < count && !signal.aborted; position++) {
    const startedMs = performance.now();
    await prove(position);
    await rest(Math.min(REST * (performance.now() - startedMs), MAX_REST_MS), signal);
  }
}

/** Why the key at a position has failed; undefined where its signature is right. */
async function failureOf(
  store: FileStore,
  position: number,
  place: Elsewhere,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { info } = store.at(position);
  const scheme = defaultScheme(info);
  const digest = digestOf(scheme, MESSAGE);
  try {
    const key = store.keyAt(position);
    const signature = await whenThereIsRoom(
      () => place.sign(key, scheme, digest, key.info.costMs, { deadlineMs: Infinity, signal }),
      signal,
    );
    if (verifySignature(info, scheme, MESSAGE, signature)) return undefined;
  } catch (thrown) {
    return `cannot be proved to sign: ${messageOf(thrown)}`;
  }
  store.withdraw(position);
  return "makes signatures that do not verify, and is not used any more; restore the file";
}

async function whenThereIsRoom<Made>(
  begin: () => Promise<Made>,
  signal: AbortSignal,
): Promise<Made> {
  while (true) {
    try {
      return await begin();
    } catch (thrown) {
      const isFull = thrown instanceof KeylessError && thrown.code === "QUEUE_FULL";
      if (!isFull || signal.aborted) throw thrown;
      await rest(FULL_MS, signal);
    }
  }
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
const FULL_MS = 100;
