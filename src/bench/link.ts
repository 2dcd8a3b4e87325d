import { Buffer } from "node:buffer";
import type { TLSSocket } from "node:tls";
import { FormatError, type KeylessError, messageOf } from "../errors/errors.ts";
import { TransportError } from "../client/errors.ts";
import { OP_ERROR } from "../protocol/opcodes.ts";
import { decodeOperation } from "../protocol/operation.ts";
import { PACKET_HEADER_BYTES, VERSION_MAJOR } from "../protocol/packet.ts";
import type { OperationPlan } from "./messages.ts";

/** What a connection under load tells; all times are of `performance.now()`. */
export interface LinkObserver {
  /** A right answer; its packet is `chunk` from `start` to `end`, which is gone afterwards. */
  answered(slot: Slot, nowMs: number, chunk: Uint8Array, start: number, end: number): void;
  failed(slot: Slot, wireCode: number): void;
  /** It was full, and has room again. */
  hasRoom(link: Link): void;
  /** All that was read is told: the moment to send more. */
  drained(link: Link, nowMs: number): void;
  /** The connection is gone, and with it the requests that were outstanding. */
  lost(link: Link, error: KeylessError, slots: readonly Slot[]): void;
}

/** One of the requests that a connection may have outstanding; its id on the wire is its index. */
export interface Slot {
  isTaken: boolean;
  operation: number;
  key: number;
  /** When it was to be sent, and when it was. */
  dueMs: number;
  sentMs: number;
}

/**
 * One TLS connection under load: as little work for each request as goes. Requests are made ready
 * packets with another id; of answers, opcode and id are looked at. All requests that are put before
 * a `flush` leave in one write.
 */
export class Link {
  readonly #socket: TLSSocket;
  readonly #server: string;
  readonly #operations: readonly OperationPlan[];
  readonly #observer: LinkObserver;
  readonly #inFlight: number;
  readonly #slots: Slot[] = []; // made when they are needed first
  readonly #free: number[] = [];
  readonly #batch: number[] = [];
  #batchBytes = 0;
  #held: Uint8Array = NOTHING;
  #isClosed = false;

  /** @param socket connected, nothing read yet */
  constructor(
    socket: TLSSocket,
    server: string,
    inFlight: number,
    operations: readonly OperationPlan[],
    observer: LinkObserver,
  ) {
    this.#socket = socket;
    this.#server = server;
    this.#operations = operations;
    this.#observer = observer;
    this.#inFlight = inFlight;
    socket.on("data", (chunk: Uint8Array) => this.#receive(chunk));
    socket.on("error", (error) => this.#fail(this.#lossError(error)));
    socket.on("end", () => this.#fail(this.#lossError(undefined)));
    socket.on("close", () => this.#fail(this.#lossError(undefined)));
  }

  /** How many more requests may be outstanding. */
  get room(): number {
    return this.#isClosed ? 0 : this.#inFlight - this.#slots.length + this.#free.length;
  }

  /** Whether there is nothing for the next write. */
  get isFlushed(): boolean {
    return this.#batchBytes === 0;
  }

  takenSlots(): Slot[] {
    return this.#slots.filter(({ isTaken }) => isTaken);
  }

  /** Puts a request into the next write; there must be room. */
  put(operation: number, key: number, dueMs: number, nowMs: number): void {
    const index = this.#free.pop() ?? this.#slots.push(emptySlot()) - 1;
    const slot = this.#slots[index]!;
    slot.isTaken = true;
    slot.operation = operation;
    slot.key = key;
    slot.dueMs = dueMs;
    slot.sentMs = nowMs;
    this.#batch.push(index);
    this.#batchBytes += this.#operations[operation]!.forms[key]!.packetBytes;
  }

  flush(): void {
    if (this.#batchBytes === 0 || this.#isClosed) return;
    const bytes = Buffer.alloc(this.#batchBytes);
    let at = 0;
    for (const index of this.#batch) {
      const { operation, key } = this.#slots[index]!;
      const { head, packetBytes } = this.#operations[operation]!.forms[key]!;
      bytes.set(head, at);
      bytes[at + 4] = index >>> 24;
      bytes[at + 5] = index >>> 16;
      bytes[at + 6] = index >>> 8;
      bytes[at + 7] = index;
      at += packetBytes;
    }
    this.#batch.length = 0;
    this.#batchBytes = 0;
    this.#socket.write(bytes);
  }

  /** Ends the connection; nothing is told any more. */
  close(): void {
    this.#isClosed = true;
    this.#socket.destroy();
  }

  #receive(chunk: Uint8Array): void {
    if (this.#isClosed) return;
    const nowMs = performance.now();
    try {
      const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
      const at = this.#readPackets(bytes, nowMs);
      this.#held = at === bytes.length ? NOTHING : bytes.subarray(at);
    } catch (thrown) {
      if (!(thrown instanceof FormatError)) throw thrown;
      const what = `${this.#server} sent what the protocol forbids: ${messageOf(thrown)}`;
      return this.#fail(new TransportError("REPLY_BROKEN", what, { cause: thrown }));
    }
    this.#observer.drained(this, nowMs);
  }

  /** @returns where the first packet begins that is not whole */
  #readPackets(bytes: Uint8Array, nowMs: number): number {
    let at = 0;
    while (bytes.length - at >= PACKET_HEADER_BYTES && !this.#isClosed) {
      if (bytes[at] !== VERSION_MAJOR) throw broken(`a packet of version ${bytes[at]}`);
      const bodyAt = at + PACKET_HEADER_BYTES;
      const end = bodyAt + ((bytes[at + 2]! << 8) | bytes[at + 3]!);
      if (end > bytes.length) break;
      const id = (bytes[at + 4]! << 24) | (bytes[at + 5]! << 16) | (bytes[at + 6]! << 8) |
        bytes[at + 7]!;
      this.#take(id >>> 0, bytes, bodyAt, end, nowMs);
      at = end;
    }
    return at;
  }

  #take(id: number, bytes: Uint8Array, bodyAt: number, end: number, nowMs: number): void {
    const slot = this.#slots[id];
    if (slot === undefined || !slot.isTaken) {
      throw broken(`an answer to ${id}, which nothing asked`);
    }
    const opcode = opcodeAt(bytes, bodyAt, end);
    if (opcode === this.#operations[slot.operation]!.replyOpcode) {
      this.#observer.answered(slot, nowMs, bytes, bodyAt, end);
    } else if (opcode === OP_ERROR) {
      this.#observer.failed(slot, wireCodeIn(bytes.subarray(bodyAt, end)));
    } else {
      throw broken(`opcode ${opcode} as the answer to ${id}`);
    }
    slot.isTaken = false;
    this.#free.push(id);
    if (this.room === 1) this.#observer.hasRoom(this);
  }

  #fail(error: KeylessError): void {
    if (this.#isClosed) return;
    this.close();
    this.#observer.lost(this, error, this.takenSlots());
  }

  #lossError(cause: Error | undefined): TransportError {
    const reason = cause === undefined ? "" : `: ${messageOf(cause)}`;
    const what = `the connection to ${this.#server} ended in the middle of the run${reason}`;
    return new TransportError("CONNECTION_LOST", what, { cause });
  }
}

const NOTHING = new Uint8Array(0);
const OPCODE_TAG = 0x11;

function emptySlot(): Slot {
  return { isTaken: false, operation: 0, key: 0, dueMs: 0, sentMs: 0 };
}

/** Most servers send the opcode first; it is looked for in full where it is elsewhere. */
function opcodeAt(bytes: Uint8Array, bodyAt: number, end: number): number | undefined {
  if (
    end - bodyAt >= 4 && bytes[bodyAt] === OPCODE_TAG && bytes[bodyAt + 1] === 0 &&
    bytes[bodyAt + 2] === 1
  ) return bytes[bodyAt + 3];
  return decodeOperation(bytes.subarray(bodyAt, end)).opcode;
}

function wireCodeIn(body: Uint8Array): number {
  const { payload } = decodeOperation(body);
  if (payload?.length === 1) return payload[0]!;
  throw broken(`an error of ${payload?.length ?? 0} bytes instead of 1`);
}

function broken(what: string): FormatError {
  return new FormatError("REPLY_BROKEN", what);
}
