/**
 * The thread of a PKCS#11 session. It has no event loop: it waits for requests on a socket of its own,
 * signs, and writes the replies, so that nothing stands between the main program and the token.
 */
import process from "node:process";
import { workerData } from "node:worker_threads";
import { SCHEMES } from "../crypto/scheme.ts";
import { KeylessError, messageOf } from "../errors/errors.ts";
import type { ErrorCode } from "../errors/table.ts";
import { BlockingSocket } from "../runtime/blocking_socket.ts";
import {
  decodeRequests,
  encodeReplies,
  type Numbered,
  type Outcome,
  type SessionReply,
  type SessionRequest,
} from "./batch.ts";
import { encodeFrame, type FrameContent, FrameReader } from "./frames.ts";
import { loadPkcs11js } from "./cryptoki.ts";
import { KeyHandles } from "./key_handles.ts";
import { SessionLost, TokenSession } from "./session.ts";

export interface SessionThreadData {
  readonly path: string;
  readonly slotId: number;
  /** The socket: frames with batches of requests, then a `SessionOrder`. */
  readonly fd: number;
  /** Tells the session apart from all others of this process, those before it on the socket too. */
  readonly session: number;
  /** Of `KeyHandles`. */
  readonly handles: SharedArrayBuffer;
}

/** The last thing that it is told: it ends the session, or leaves it as it is. */
export interface SessionOrder {
  readonly stop: "close" | "drop";
}

export interface ThreadFailure {
  readonly code: ErrorCode;
  readonly message: string;
}

/** What it says besides replies. After `stopped` nothing comes, and the socket is empty. */
export type SessionWord =
  | { readonly opened: true }
  | { readonly failed: ThreadFailure }
  | { readonly lost: string }
  | { readonly stopped: true };

const { path, slotId, fd, session: number, handles } = workerData as SessionThreadData;
const keys = new KeyHandles(handles);
const socket = new BlockingSocket(fd);
const say = (message: SessionWord) => socket.write(encodeFrame({ message }));

/** Opens the session, answers until it is stopped; what comes after a loss is for another session. */
async function run(): Promise<void> {
  const replies = new Replies();
  let session = await open();
  const opened = session;
  for (const content of received()) {
    if (!("batch" in content)) {
      replies.send();
      if ((content.message as SessionOrder).stop === "close") opened?.close();
      return;
    }
    if (content.session !== number) throw new Error("a request is another session's");
    if (session === undefined) continue;
    try {
      for (const request of decodeRequests(content.batch)) replies.add(answer(session, request));
    } catch (thrown) {
      if (!(thrown instanceof SessionLost)) throw thrown;
      session = undefined;
      replies.send();
      say({ lost: messageOf(thrown) });
    }
  }

  /** All that the socket brings; the replies leave before it waits. */
  function* received(): Generator<FrameContent> {
    const frames = new FrameReader();
    const chunk = new Uint8Array(CHUNK_BYTES);
    for (let count = socket.read(chunk); count > 0; count = socket.read(chunk)) {
      yield* frames.read(chunk.subarray(0, count));
      replies.send();
    }
  }
}

async function open(): Promise<TokenSession | undefined> {
  try {
    const session = new TokenSession(await loadPkcs11js(), path, slotId);
    say({ opened: true });
    return session;
  } catch (thrown) {
    const code = thrown instanceof KeylessError ? thrown.code : "INTERNAL";
    say({ failed: { code, message: messageOf(thrown) } });
    return undefined;
  }
}

/** Replies that have not left yet. */
class Replies {
  #waiting: Numbered<SessionReply>[] = [];
  #sinceMs = performance.now();

  /** Now and then they are sent: more work comes while the rest is done. */
  add(reply: Numbered<SessionReply>): void {
    this.#waiting.push(reply);
    if (performance.now() - this.#sinceMs >= REPLY_AFTER_MS) this.send();
  }

  send(): void {
    this.#sinceMs = performance.now();
    if (this.#waiting.length === 0) return;
    socket.write(encodeFrame({ session: number, batch: encodeReplies(this.#waiting) }));
    this.#waiting = [];
  }
}

/** @throws SessionLost */
function answer(session: TokenSession, request: Numbered<SessionRequest>): Numbered<SessionReply> {
  const { id, key: keyNumber, bits, scheme, bytes } = request;
  const failed = (outcome: Outcome, why: string) => {
    return { id, outcome, bytes: new TextEncoder().encode(why) };
  };
  const handle = keys.get(keyNumber);
  if (handle === undefined) return failed("HSM_FAILED", "the key is not on the token any more");
  const key = { type: SCHEMES[scheme].keyType, bits };
  try {
    return { id, outcome: "made", bytes: session.perform(handle, key, scheme, bytes) };
  } catch (thrown) {
    if (thrown instanceof SessionLost) throw thrown;
    const isRefused = thrown instanceof KeylessError && thrown.code === "SIGN_REFUSED";
    return failed(isRefused ? "SIGN_REFUSED" : "SIGN_FAILED", messageOf(thrown));
  }
}

/** Short beside what a session has waiting, long beside what a reply costs. */
const REPLY_AFTER_MS = 1;

const CHUNK_BYTES = 65_536;

await run(); // last: what stands above is not there before
say({ stopped: true });
process.exit(0); // of this thread alone
