import { availableParallelism } from "node:os";
import type { Engine } from "../src/crypto/engine.ts";
import type { Log } from "../src/telemetry/log.ts";
import { createSigningMemory } from "../src/threads/signing_memory.ts";
import { SigningThreads } from "../src/threads/signing_threads.ts";

/**
 * Threads that slow operations are carried out on, one for each core.
 *
 * @param loops the event loops that use them
 * @returns undefined where the engine is not libcrypto, whose keys alone can be used by several threads
 */
export function startSigning(
  engine: Pick<Engine, "name">,
  loops: number,
  log: Log,
): SigningThreads | undefined {
  if (engine.name !== "libcrypto") return undefined;
  return new SigningThreads(createSigningMemory(loops, availableParallelism()), {
    onDeath: (why) =>
      log.error({ event: "signing_thread_died", why }, "a signing thread has died and is replaced"),
  });
}
