import type { TLSSocket } from "node:tls";
import { encodePackets, type PacketDraft } from "../protocol/packet.ts";
import { onceATurn } from "../runtime/turn.ts";
import type { ServerCounters } from "./server_counters.ts";

/**
 * The replies of one connection, from when they are made until the kernel has taken them. With each
 * goes what its owner wants to be told of then. Those that leave together are encoded together: with a
 * buffer for each, and one more for all, a ping would cost a tenth more.
 */
export class Outbox<Request> {
  /** Flushes at the end of this turn: replies that become ready in it leave together. */
  readonly flushSoon = onceATurn(() => this.flush());
  readonly #socket: TLSSocket;
  readonly #counters: ServerCounters;
  readonly #flushed: (requests: readonly Request[], bytes: number) => void;
  /** The replies that are not written yet, and their requests. */
  #replies: PacketDraft[] = [];
  #requests: Request[] = [];
  /** Pieces that are written, and not taken yet. */
  readonly #writing = new Set<readonly Request[]>();
  #bytes = 0;
  #lastProgressMs = 0;

  /** `flushed` is told each time that replies have left: the requests of all, and their bytes. */
  constructor(
    socket: TLSSocket,
    counters: ServerCounters,
    flushed: (requests: readonly Request[], bytes: number) => void,
  ) {
    this.#socket = socket;
    this.#counters = counters;
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

  /** The requests whose replies have not left. */
  *requests(): IterableIterator<Request> {
    yield* this.#requests;
    for (const requests of this.#writing) yield* requests;
  }

  /** The reply, its payload too, belongs to the outbox from here on. */
  add(reply: PacketDraft, request: Request): void {
    if (this.#bytes === 0) this.#lastProgressMs = performance.now(); // the client's time begins
    this.#count(reply.lengthBytes);
    this.#replies.push(reply);
    this.#requests.push(request);
  }

  /** Writes what was added: in one piece, or a few where it is much, so that progress shows. */
  flush(): void {
    const replies = this.#replies;
    const requests = this.#requests;
    if (replies.length === 0) return;
    this.#replies = [];
    this.#requests = [];
    let begin = 0;
    let pieceBytes = 0;
    for (let end = 1; end <= replies.length; end++) {
      pieceBytes += replies[end - 1]!.lengthBytes;
      if (pieceBytes < PIECE_BYTES && end < replies.length) continue;
      this.#write(replies.slice(begin, end), requests.slice(begin, end));
      begin = end;
      pieceBytes = 0;
    }
  }

  /** The connection is gone, and nothing will leave any more. */
  discard(): void {
    this.#replies = [];
    this.#requests = [];
    this.#writing.clear();
    this.#count(-this.#bytes);
  }

  #write(replies: readonly PacketDraft[], requests: readonly Request[]): void {
    const bytes = encodePackets(replies);
    this.#writing.add(requests);
    this.#socket.write(bytes, (error) => {
      if (error || !this.#writing.delete(requests)) return; // 'close' discards them, or has done so
      this.#count(-bytes.length);
      this.#lastProgressMs = performance.now();
      this.#flushed(requests, bytes.length);
    });
  }

  #count(bytes: number): void {
    const before = this.#bytes;
    this.#bytes += bytes;
    this.#counters.add("unsentKib", kibOf(this.#bytes) - kibOf(before));
  }
}

function kibOf(bytes: number): number {
  return Math.ceil(bytes / 1_024);
}

/** A client that takes so much in `writeStallMs` is not cut. */
const PIECE_BYTES = 16_384;
