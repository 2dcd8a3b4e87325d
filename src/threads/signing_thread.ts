/** What a signing thread runs. A channel comes from each event loop; see `SigningThreads`. */
import process from "node:process";
import { type MessagePort, parentPort } from "node:worker_threads";
import { LibcryptoEngine } from "../crypto/libcrypto_engine.ts";
import { SCHEMES } from "../crypto/scheme.ts";
import { KeylessError, messageOf } from "../errors/errors.ts";
import { openLibcrypto } from "../runtime/libcrypto.ts";
import { lowerThreadPriority } from "../runtime/process.ts";
import {
  type Batch,
  decodeRequests,
  encodeReplies,
  type ThreadReply,
  type ThreadRequest,
} from "./batch.ts";

/** What the thread is told by the one that has started it. */
export type ThreadOrder = { readonly port: MessagePort } | { readonly stop: true };

/**
 * Above the event loops, which answer fast operations, and below what would starve it: at 10 a
 * thread still gets a tenth of a core that an event loop wants whole.
 */
const NICENESS = 10;

const engine = new LibcryptoEngine(openLibcrypto());
lowerThreadPriority(NICENESS);

parentPort!.on("message", (order: ThreadOrder) => {
  if ("port" in order) return serve(order.port);
  process.exit(0); // of this thread alone
});

function serve(port: MessagePort): void {
  port.on("message", (batch: Batch) => {
    port.postMessage(encodeReplies(decodeRequests(batch).map(answer)));
  });
}

function answer({ address, bits, scheme, bytes }: ThreadRequest): ThreadReply {
  const key = { info: { type: SCHEMES[scheme].keyType, bits }, handle: address };
  try {
    const made = scheme === "rsa-decrypt"
      ? engine.decrypt(key, bytes)
      : engine.sign(key, scheme, bytes);
    return { outcome: "made", bytes: made };
  } catch (thrown) {
    const isRefused = thrown instanceof KeylessError && thrown.code === "SIGN_REFUSED";
    return {
      outcome: isRefused ? "SIGN_REFUSED" : "SIGN_FAILED",
      bytes: new TextEncoder().encode(messageOf(thrown)),
    };
  }
}
