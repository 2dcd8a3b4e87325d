import { Buffer } from "node:buffer";
import type { TLSSocket } from "node:tls";

/** Reply bytes of all connections that their clients have not taken. */
export interface OutboxTotal {
  bytes: number;
}

/** The replies of one connection, from when they are made until the kernel has taken them. */
export class Outbox {
  readonly #socket: TLSSocket;
  readonly #total: OutboxTotal;
  readonly #flushed: (replies: number) => void;
  #replies: Uint8Array[] = [];
  #bytes = 0;
  #isFlushQueued = false;
  #lastProgressMs = 0;

  /** `flushed` is told each time that replies have left, and how many. */
  constructor(socket: TLSSocket, total: OutboxTotal, flushed: (replies: number) => void) {
    this.#socket = socket;
    this.#total = total;
    this.#flushed = flushed;
  }

  /** Bytes that have not left. */
  get bytes(): number {
    return this.#bytes;
  }

  /** When the last reply left, on the clock of `performance.now()`; 0 before the first. */
  get lastProgressMs(): number {
    return this.#lastProgressMs;
  }

  /** The reply belongs to the outbox from here on. */
  add(reply: Uint8Array): void {
    if (this.#bytes === 0) this.#lastProgressMs = performance.now(); // the client's time begins
    this.#count(reply.length);
    this.#replies.push(reply);
  }

  /** Writes what was added: in one piece, or a few where it is much, so that progress shows. */
  flush(): void {
    const replies = this.#replies;
    if (replies.length === 0) return;
    this.#replies = [];
    let piece: Uint8Array[] = [];
    let pieceBytes = 0;
    for (const reply of replies) {
      piece.push(reply);
      pieceBytes += reply.length;
      if (pieceBytes < PIECE_BYTES) continue;
      this.#write(piece);
      piece = [];
      pieceBytes = 0;
    }
    if (piece.length > 0) this.#write(piece);
  }

  /** Flushes at the end of this turn: replies that become ready in it leave together. */
  flushSoon(): void {
    if (this.#isFlushQueued) return;
    this.#isFlushQueued = true;
    queueMicrotask(() => {
      this.#isFlushQueued = false;
      this.flush();
    });
  }

  /** The connection is gone, and nothing will leave any more. */
  discard(): void {
    this.#replies = [];
    this.#count(-this.#bytes);
  }

  #write(replies: readonly Uint8Array[]): void {
    const bytes = replies.length === 1 ? replies[0]! : Buffer.concat(replies);
    this.#socket.write(bytes, (error) => {
      if (error) return; // 'close' follows, and `discard` with it
      this.#count(-bytes.length);
      this.#lastProgressMs = performance.now();
      this.#flushed(replies.length);
    });
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    this.#total.bytes += bytes;
  }
}

/** A client that takes so much in `writeStallMs` is not cut. */
const PIECE_BYTES = 16_384;
