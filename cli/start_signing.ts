import type { Log } from "../src/telemetry/log.ts";
import { type SigningLoad, SigningQueue } from "../src/threads/signing_queue.ts";
import { SigningThreads } from "../src/threads/signing_threads.ts";
import type { PreparedServer } from "./prepare.ts";

/** What signs beside the event loop. */
export interface Signing {
  load(): SigningLoad & { readonly deaths: number };
  /** Refuses what waits; resolves when no thread uses a key any more. */
  stop(): Promise<void>;
}

/**
 * Has slow operations carried out on threads of their own, for as long as the server runs.
 *
 * @returns undefined where there is nothing for them to do: the engine is not libcrypto, whose keys
 *   alone may be used by several threads, or no key is slow
 */
export function startSigning({ engine, store }: PreparedServer, log: Log): Signing | undefined {
  if (engine.name !== "libcrypto") return undefined;
  const queue = new SigningQueue();
  if (store.moveSlow(queue, SLOW_MS) === 0) return undefined;
  const threads = new SigningThreads({
    onDeath: (why) => log.error({ event: "signing_thread", why }, "a signing thread has died"),
  });
  threads.attach(queue);
  return {
    load: () => ({ ...queue.load(), deaths: threads.load().deaths }),
    async stop() {
      queue.close();
      await threads.stop();
    },
  };
}

/** What takes longer does not stand in the way of what takes less. */
const SLOW_MS = 0.1;
