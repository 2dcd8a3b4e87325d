import { printable } from "../src/errors/printable.ts";
import type { FileStore } from "../src/keystore/file_store.ts";
import { type KeyProof, proveKeys } from "../src/keystore/prove_keys.ts";
import type { Log } from "../src/telemetry/log.ts";
import type { SigningMemory } from "../src/threads/signing_memory.ts";
import { SigningQueue } from "../src/threads/signing_queue.ts";

/** A proof that goes on beside the server. */
export interface RunningProof extends Pick<KeyProof, "counts"> {
  /** Ends it; resolves when it uses no key any more. */
  stop(): Promise<void>;
}

/**
 * Has every key sign once on the signing threads, and says in the log which cannot.
 *
 * @param loop the place of this thread's queue in the memory
 */
export function startProof(
  store: FileStore,
  memory: SigningMemory,
  loop: number,
  log: Log,
): RunningProof {
  const queue = new SigningQueue(memory, loop);
  const ended = new AbortController();
  let told = 0;
  const proof = proveKeys(store, queue, {
    signal: ended.signal,
    onFailure({ path }, why) {
      told += 1;
      if (told > MAX_LINES) return;
      log.error({ event: "key_failed", path: printable(path), why }, "a key cannot sign");
    },
  });
  const done = proof.done.then(() => {
    queue.close();
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
