import { FormatError, KeylessError } from "../errors/errors.ts";
import {
  type Batch,
  decodeReplies,
  encodeRequests,
  type SessionReply,
  type SessionRequest,
} from "./batch.ts";
import { type FrameContent } from "./frames.ts";
import type { SessionOrder, SessionWord } from "./session_thread.ts";

/** A session in a module's process: takes requests, and answers them in order. */
export class ModuleSession {
  /** Resolves when it can be used. Rejects with KeylessError where it cannot be opened. */
  readonly opened: Promise<void>;
  /**
   * Settles when the session answers nothing any more, with the reason. Where the token ended it, its
   * thread stays until `close` or `drop`.
   */
  readonly end: Promise<string>;
  /** Resolves when its thread is gone, too. */
  readonly gone: Promise<void>;
  readonly #number: number;
  readonly #send: (content: FrameContent) => void;
  readonly #opening = Promise.withResolvers<void>();
  readonly #ending = Promise.withResolvers<string>();
  readonly #going = Promise.withResolvers<void>();
  #listener: (replies: readonly SessionReply[]) => void = () => {};
  #asked = 0;
  #answered = 0;
  #busySinceMs: number | undefined;
  #isStopped = false;
  #isEnded = false;
  #hasHung = false;
  #wasLost = false;

  /**
   * @param number tells it apart from all other sessions of its process
   * @param send writes to the session's socket
   */
  constructor(number: number, send: (content: FrameContent) => void) {
    this.#number = number;
    this.#send = send;
    this.opened = this.#opening.promise;
    this.opened.catch(() => {}); // whoever waits for it is told
    this.end = this.#ending.promise;
    this.gone = this.#going.promise;
  }

  /** Since when it has said nothing, though it should, on the clock of `performance.now()`. */
  get busySinceMs(): number | undefined {
    return this.#busySinceMs;
  }

  /** Whether its process was killed because this session did not answer. */
  get hasHung(): boolean {
    return this.#hasHung;
  }

  /** Whether the token ended it, at the first of the requests that it has not answered. */
  get wasLost(): boolean {
    return this.#wasLost;
  }

  /** Has requests carried out; where it has ended, they are never answered. */
  request(requests: readonly SessionRequest[]): void {
    if (this.#isEnded || this.#isStopped) return;
    if (this.#asked === this.#answered) this.#busySinceMs = performance.now();
    this.#send({ session: this.#number, batch: encodeRequests(requests, this.#asked) });
    this.#asked += requests.length;
  }

  /** @param listener takes replies in the order of the requests */
  onReplies(listener: (replies: readonly SessionReply[]) => void): void {
    this.#listener = listener;
  }

  /** Ends it after the requests in its hands. */
  close(): void {
    this.#stop("close");
  }

  /**
   * The same of a session that the token has closed by itself: it is not closed again, for its handle
   * may be another session's by now.
   */
  drop(): void {
    this.#stop("drop");
  }

  /**
   * Called with what came from the session's socket.
   *
   * @throws FormatError "TRAILING" for an answer to what it was not asked; the process is of no use
   */
  take(content: FrameContent): void {
    if ("batch" in content) return this.#takeReplies(content.session, content.batch);
    const word = content.message as SessionWord;
    if ("opened" in word) this.#opening.resolve();
    else if ("failed" in word) {
      const { code, message } = word.failed;
      this.#endNow(message, new KeylessError(code, message));
      this.close();
    } else if ("lost" in word) {
      this.#wasLost = true;
      this.#endNow(word.lost);
    } else this.ended("it was closed");
  }

  /** Its thread is gone, perhaps with its process. */
  ended(why: string, hasHung = false): void {
    this.#hasHung ||= hasHung;
    this.#endNow(why);
    this.#busySinceMs = undefined;
    this.#going.resolve();
  }

  #takeReplies(session: number, batch: Batch): void {
    const replies = decodeReplies(batch);
    for (const { id } of replies) {
      if (session !== this.#number || id !== this.#answered || id >= this.#asked) {
        throw new FormatError("TRAILING", "the PKCS#11 process answered what it was not asked");
      }
      this.#answered += 1;
    }
    const isBusy = this.#answered < this.#asked || this.#isStopped;
    this.#busySinceMs = isBusy ? performance.now() : undefined;
    this.#listener(replies);
  }

  #stop(stop: SessionOrder["stop"]): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#busySinceMs ??= performance.now(); // to end it is a call of the module, too
    this.#send({ message: { stop } satisfies SessionOrder });
  }

  #endNow(why: string, error = new KeylessError("HSM_FAILED", why)): void {
    this.#isEnded = true;
    if (!this.#isStopped) this.#busySinceMs = undefined;
    this.#opening.reject(error);
    this.#ending.resolve(why);
  }
}
