/** What an event loop of a server is to signing threads: it asks for signatures, as many as it can. */
import { parentPort, workerData } from "node:worker_threads";
import type { PrivateKey } from "../../src/crypto/engine.ts";
import type { SigningMemory } from "../../src/threads/signing_memory.ts";
import { SigningQueue } from "../../src/threads/signing_queue.ts";

export interface SigningLoopData {
  readonly memory: SigningMemory;
  readonly loop: number;
  readonly key: PrivateKey;
  /** It dies when it has had so many signatures. */
  readonly diesAfter: number;
}

/** What it tells for each signature. */
export interface LoopSignature {
  readonly mark: number;
  readonly signature: Uint8Array;
}

const OUTSTANDING = 16;

const { memory, loop, key, diesAfter } = workerData as SigningLoopData;
const queue = new SigningQueue(memory, loop);
const context = { deadlineMs: Infinity, signal: new AbortController().signal };
let count = 0;
for (let mark = 0; mark < OUTSTANDING; mark++) ask(mark);

async function ask(mark: number): Promise<void> {
  while (true) {
    const digest = new Uint8Array(32).fill(mark);
    const signature = await queue.sign(key, "rsa-sha256", digest, 0.25, context);
    parentPort!.postMessage({ mark, signature } satisfies LoopSignature);
    count += 1;
    if (count >= diesAfter) throw new Error("an event loop dies");
  }
}
