import { Buffer } from "node:buffer";
import type { TLSSocket } from "node:tls";
import { FormatError, messageOf } from "../errors/errors.ts";
import type { ClientIdentity, Keystore, RequestContext } from "../keystore/keystore.ts";
import { WIRE_ERRORS } from "../protocol/errors.ts";
import { Framer } from "../protocol/framer.ts";
import { decodeOperation, type Operation } from "../protocol/operation.ts";
import { encodePacket, type Packet, VERSION_MAJOR } from "../protocol/packet.ts";
import { pauseReading, resumeReading } from "../runtime/socket.ts";
import type { ServerLog } from "../telemetry/server_log.ts";
import { type Answer, dispatch, errorAnswer } from "./dispatch.ts";
import type { ServerLimits } from "./limits.ts";

export interface ConnectionOptions {
  readonly client: ClientIdentity;
  readonly keystore: Keystore;
  readonly limits: ServerLimits;
  readonly idleMs: number;
  readonly log: ServerLog;
}

/**
 * One client's connection, from its handshake to its end.
 *
 * Requests are read one after the other and answered in any order. Each holds a slot from when it is
 * read until the last byte of its reply has left for the kernel; without a free slot, or with too
 * many reply bytes that the client has not taken, nothing more is read.
 */
export class Connection {
  readonly client: ClientIdentity;
  readonly #socket: TLSSocket;
  readonly #keystore: Keystore;
  readonly #limits: ServerLimits;
  readonly #idleMs: number;
  readonly #log: ServerLog;
  readonly #framer = new Framer();
  readonly #abort = new AbortController();
  #state: "open" | "inputEnded" | "draining" | "closing" | "closed" = "open";
  #inFlight = 0;
  #unflushedBytes = 0;
  #outbox: Uint8Array[] = [];
  #flushQueued = false;
  #pumping = false;
  #paused = false;
  #lastRequestMs = performance.now();
  #lastFlushMs = 0;
  #timer: ReturnType<typeof setTimeout>;

  /** Takes the socket over; `closed` is called once, when nothing of it is left. */
  constructor(socket: TLSSocket, options: ConnectionOptions, closed: () => void) {
    this.#socket = socket;
    this.client = options.client;
    this.#keystore = options.keystore;
    this.#limits = options.limits;
    this.#idleMs = options.idleMs;
    this.#log = options.log;
    this.#timer = setTimeout(() => this.#check(), this.#checkEveryMs());
    socket.on("data", (chunk: Uint8Array) => this.#receive(chunk));
    socket.on("end", () => this.#inputEnd());
    socket.on("error", (error: Error) => this.#fail(error.message));
    socket.on("close", () => {
      this.#state = "closed";
      clearTimeout(this.#timer);
      this.#abort.abort();
      closed();
    });
  }

  /** Requests that are read and not yet answered to the last byte. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Answers what has been read, reads nothing more, then closes. */
  drain(): void {
    if (this.#state !== "open" && this.#state !== "inputEnded") return;
    this.#state = "draining";
    this.#closeWhenDone();
  }

  /** Ends the connection at once; what is outstanding is lost. */
  destroy(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Uint8Array): void {
    if (this.#state !== "open") return; // it is closing: read and forgotten, so that the end is seen
    try {
      this.#framer.push(chunk);
    } catch (error) {
      return this.#fail(messageOf(error));
    }
    this.#pump();
  }

  /** Reads packets while there are slots, then writes in one piece what they were answered. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#hasRoom()) {
      const packet = this.#framer.next();
      if (packet === undefined) break;
      this.#handle(packet);
    }
    this.#pumping = false;
    this.#flush();
    if (this.#state === "open") this.#pauseOrResume();
  }

  #hasRoom(): boolean {
    return this.#inFlight < this.#limits.maxInFlight &&
      this.#unflushedBytes < this.#limits.maxUnflushedBytes;
  }

  #pauseOrResume(): void {
    const full = !this.#hasRoom();
    if (full === this.#paused) return;
    this.#paused = full;
    if (full) pauseReading(this.#socket);
    else resumeReading(this.#socket);
  }

  #handle(packet: Packet): void {
    this.#inFlight += 1;
    this.#lastRequestMs = performance.now();
    if (packet.major !== VERSION_MAJOR) {
      const reason = `version ${packet.major}.${packet.minor}; this server speaks ${VERSION_MAJOR}`;
      return this.#answer(packet.id, {}, errorAnswer(WIRE_ERRORS.VERSION, reason));
    }
    let operation: Operation;
    try {
      operation = decodeOperation(packet.body);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      return this.#answer(packet.id, {}, errorAnswer(WIRE_ERRORS.FORMAT, error.message));
    }
    const answer = dispatch(operation, this.#keystore, this.#contextOf(operation));
    if (answer instanceof Promise) {
      answer.then((late) => {
        this.#answer(packet.id, operation, late);
        this.#flushSoon();
      });
    } else {
      this.#answer(packet.id, operation, answer);
    }
  }

  #contextOf(operation: Operation): RequestContext {
    return {
      client: this.client,
      deadlineMs: Infinity,
      signal: this.#abort.signal,
      span: operation.span,
      forwarded: false,
    };
  }

  #answer(id: number, operation: Operation, answer: Answer): void {
    this.#log.request(this.client, id, operation, answer);
    const reply = encodePacket(id, { opcode: answer.opcode, payload: answer.payload });
    this.#unflushedBytes += reply.length;
    this.#outbox.push(reply);
  }

  /** Answers that come in the same turn leave in one write. */
  #flushSoon(): void {
    if (this.#flushQueued) return;
    this.#flushQueued = true;
    queueMicrotask(() => {
      this.#flushQueued = false;
      this.#flush();
    });
  }

  #flush(): void {
    const replies = this.#outbox;
    if (replies.length === 0 || this.#state === "closed") return;
    this.#outbox = [];
    const bytes = replies.length === 1 ? replies[0]! : Buffer.concat(replies);
    if (this.#unflushedBytes === bytes.length) this.#lastFlushMs = performance.now();
    this.#socket.write(bytes, (error) => {
      if (error) return; // 'error' and 'close' follow
      this.#flushed(replies.length, bytes.length);
    });
  }

  #flushed(replies: number, lengthBytes: number): void {
    this.#inFlight -= replies;
    this.#unflushedBytes -= lengthBytes;
    this.#lastFlushMs = performance.now();
    if (this.#state === "open") {
      if (this.#paused) this.#pump();
    } else {
      this.#closeWhenDone();
    }
  }

  #inputEnd(): void {
    if (this.#state !== "open") return;
    this.#state = "inputEnded";
    this.#closeWhenDone();
  }

  /** After the last request: what still waits in the framer is answered as slots come free. */
  #closeWhenDone(): void {
    if (this.#state !== "inputEnded" && this.#state !== "draining") return;
    this.#pump();
    if (this.#inFlight > 0) return;
    if (this.#state === "inputEnded" && this.#framer.heldBytes > 0) {
      this.#log.connectionFailed(this.client, "it ended in the middle of a request");
    }
    this.#close();
  }

  /** Says goodbye, and waits a little for the client's own: a reply in its mail is not torn. */
  #close(): void {
    if (this.#state === "closing" || this.#state === "closed") return;
    this.#state = "closing";
    this.#socket.end();
    if (this.#paused) resumeReading(this.#socket);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#socket.destroy(), this.#limits.lingerMs);
  }

  #fail(reason: string): void {
    if (this.#state === "closed") return;
    this.#log.connectionFailed(this.client, reason);
    this.#socket.destroy();
  }

  /** Cuts a client that takes no replies, closes one that asks nothing. */
  #check(): void {
    const now = performance.now();
    if (this.#unflushedBytes > 0 && now - this.#lastFlushMs >= this.#limits.writeStallMs) {
      const seconds = this.#limits.writeStallMs / 1_000;
      return this.#fail(`it took none of ${this.#inFlight} replies for ${seconds} s`);
    }
    const lastUseMs = Math.max(this.#lastRequestMs, this.#lastFlushMs);
    if (this.#inFlight === 0 && now - lastUseMs >= this.#idleMs) return this.#close();
    this.#timer = setTimeout(() => this.#check(), this.#checkEveryMs());
  }

  #checkEveryMs(): number {
    return Math.max(10, Math.min(this.#idleMs, this.#limits.writeStallMs) / CHECKS_PER_LIMIT);
  }
}

/** A limit of time is kept to within this part of itself. */
const CHECKS_PER_LIMIT = 10;
