import { printable } from "../src/errors/printable.ts";
import type { HsmStore } from "../src/hsm/hsm_store.ts";
import { provableTokenKeys } from "../src/hsm/provable_keys.ts";
import type { FileStore } from "../src/keystore/file_store.ts";
import {
  type KeyProof,
  provableFileKeys,
  type ProvableKeys,
  proveKeys,
} from "../src/keystore/prove_keys.ts";
import type { Log } from "../src/telemetry/log.ts";
import type { SigningMemory } from "../src/threads/signing_memory.ts";
import { SigningQueue } from "../src/threads/signing_queue.ts";

/** A proof that goes on beside the server. */
export interface RunningProof extends Pick<KeyProof, "counts"> {
  /** Ends it; resolves when it uses no key any more. */
  stop(): Promise<void>;
}

/**
 * Has every key in files sign once on the signing threads, and says in the log which cannot.
 *
 * @param loop the place of this thread's queue in the memory
 */
export function proveKeysInFiles(
  store: FileStore,
  memory: SigningMemory,
  loop: number,
  log: Log,
): RunningProof {
  const queue = new SigningQueue(memory, loop);
  const nameOf = (position: number) => ({ path: printable(store.at(position).path) });
  return startProof(provableFileKeys(store, queue), nameOf, log, () => queue.close());
}

/** The same of the keys in tokens. */
export function proveKeysInTokens(store: HsmStore, log: Log): RunningProof {
  const nameOf = (position: number) => {
    const { entry, name } = store.keys[position]!;
    return { path: entry, key: name };
  };
  return startProof(provableTokenKeys(store), nameOf, log);
}

/** All of them as one. */
export function together(proofs: readonly RunningProof[]): RunningProof {
  return {
    counts() {
      const all = proofs.map((proof) => proof.counts());
      const sum = (result: keyof ReturnType<KeyProof["counts"]>) =>
        all.reduce((total, counts) => total + counts[result], 0);
      return { pending: sum("pending"), passed: sum("passed"), failed: sum("failed") };
    },
    async stop() {
      await Promise.all(proofs.map((proof) => proof.stop()));
    },
  };
}

function startProof(
  keys: ProvableKeys,
  nameOf: (position: number) => object,
  log: Log,
  onEnd = () => {},
): RunningProof {
  const ended = new AbortController();
  let told = 0;
  const proof = proveKeys(keys, {
    signal: ended.signal,
    onFailure(position, why) {
      told += 1;
      if (told > MAX_LINES) return;
      log.error({ event: "key_failed", ...nameOf(position), why }, "a key cannot sign");
    },
  });
  const done = proof.done.then(() => {
    onEnd();
    if (ended.signal.aborted) return;
    const { passed, failed } = proof.counts();
    const fields = { event: "keys_proved", passed, failed };
    if (failed > 0) log.error(fields, "not every key can sign");
    else log.info(fields, "every key can sign");
  });
  return {
    counts: () => proof.counts(),
    stop() {
      ended.abort();
      return done;
    },
  };
}

/** Thousands of keys may have the same fault. */
const MAX_LINES = 10;
