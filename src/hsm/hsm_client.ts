import type { Scheme } from "../crypto/scheme.ts";
import { KeylessError } from "../errors/errors.ts";
import type { Admission, Amounts } from "../threads/admission.ts";
import type { Channel } from "../threads/questions.ts";
import {
  type HsmAnswered,
  type HsmAsked,
  type HsmMessage,
  type HsmReply,
  type HsmRequest,
  packHsmRequests,
  unpackHsmReplies,
} from "./worker_messages.ts";

/** Whose request it is, how long it is wanted, and what it holds meanwhile. */
export interface HsmContext {
  readonly deadlineMs: number;
  /** One for each connection. */
  readonly signal: AbortSignal;
  readonly heldBytes: number;
}

/** A worker's side of the tokens, which live in the main thread: `HsmDesk` is the other. */
export class HsmClient {
  readonly #channel: Channel;
  readonly #admission: Admission;
  readonly #bounds: Amounts;
  readonly #waiting = new Map<number, Waiting>();
  readonly #connections = new Map<AbortSignal, Connection>();
  #unsent: HsmRequest[] = [];
  #nextId = 0;
  #nextConnection = 0;

  /**
   * @param admission counts what waits for tokens, apart from what is signed here
   * @param bounds of all event loops together
   */
  constructor(channel: Channel, admission: Admission, bounds: Amounts) {
    this.#channel = channel;
    this.#admission = admission;
    this.#bounds = bounds;
    channel.on("message", (message) => {
      const answered = (message as Partial<HsmMessage<HsmAnswered>> | null | undefined)?.hsm;
      if (answered === undefined) return;
      for (const reply of unpackHsmReplies(answered.replies)) this.#settle(reply);
    });
  }

  /**
   * @param position the key's
   * @param bytes copied
   * @returns a fresh buffer
   * @throws KeylessError "QUEUE_FULL" at once; as rejections "SIGN_REFUSED", "SIGN_FAILED",
   *   "HSM_BUSY", "HSM_FAILED", "ABORTED"
   */
  perform(
    position: number,
    scheme: Scheme,
    bytes: Uint8Array,
    { deadlineMs, signal, heldBytes }: HsmContext,
  ): Promise<Uint8Array> {
    const amounts = { requests: 1, bytes: heldBytes, work: 0 };
    if (this.#admission.admit(signal, amounts, this.#bounds) !== undefined) {
      throw new KeylessError("QUEUE_FULL", "too many requests wait for PKCS#11 tokens");
    }
    const id = this.#nextId++;
    const connection = this.#connectionOf(signal);
    connection.ids.add(id);
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    this.#waiting.set(id, { connection, heldBytes, resolve, reject });
    const leftMs = deadlineMs - performance.now();
    this.#unsent.push({
      ...{ id, position, scheme, leftMs },
      bytes: bytes.slice(), // the packet is read over
      connection: connection.number,
    });
    if (this.#unsent.length === 1) queueMicrotask(() => this.#send());
    return promise;
  }

  /** After all that a connection has read: they travel together. */
  #send(): void {
    const requests = packHsmRequests(this.#unsent);
    this.#unsent = [];
    this.#tell({ requests });
  }

  #tell(hsm: HsmAsked): void {
    this.#channel.postMessage({ hsm } satisfies HsmMessage<HsmAsked>);
  }

  #settle({ id, outcome, bytes }: HsmReply): void {
    const waiting = this.#forget(id);
    if (outcome === "made") waiting?.resolve(bytes);
    else waiting?.reject(new KeylessError(outcome, new TextDecoder().decode(bytes)));
  }

  #connectionOf(signal: AbortSignal): Connection {
    const known = this.#connections.get(signal);
    if (known !== undefined) return known;
    const connection: Connection = {
      signal,
      number: this.#nextConnection++,
      ids: new Set(),
      onAbort: () => this.#gone(connection),
    };
    this.#connections.set(signal, connection);
    signal.addEventListener("abort", connection.onAbort);
    return connection;
  }

  #gone({ number, ids }: Connection): void {
    this.#tell({ gone: number });
    for (const id of ids) {
      this.#forget(id)?.reject(
        new KeylessError("ABORTED", "nobody waits for the answer any more"),
      );
    }
  }

  /** Undefined where it was forgotten before. */
  #forget(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return undefined;
    const { connection: { ids, signal, onAbort }, heldBytes } = waiting;
    this.#waiting.delete(id);
    this.#admission.release(signal, { requests: 1, bytes: heldBytes, work: 0 });
    ids.delete(id);
    if (ids.size === 0) {
      signal.removeEventListener("abort", onAbort);
      this.#connections.delete(signal);
    }
    return waiting;
  }
}

interface Connection {
  readonly signal: AbortSignal;
  readonly number: number;
  /** Of its requests. */
  readonly ids: Set<number>;
  readonly onAbort: () => void;
}

interface Waiting {
  readonly connection: Connection;
  readonly heldBytes: number;
  readonly resolve: (made: Uint8Array) => void;
  readonly reject: (error: KeylessError) => void;
}
