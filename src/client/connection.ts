import { Buffer } from "node:buffer";
import { setTimeout } from "node:timers";
import type { TLSSocket } from "node:tls";
import { FormatError, KeylessError, messageOf } from "../errors/errors.ts";
import { Framer } from "../protocol/framer.ts";
import type { Operation } from "../protocol/operation.ts";
import { encodePacket, type Packet } from "../protocol/packet.ts";
import { type Call, type Carrier, type RequestOptions, startCall } from "./call.ts";
import { Deadlines } from "./deadlines.ts";
import { dial, type DialOptions, type Handshake } from "./dial.ts";
import { endpointText } from "./endpoint.ts";
import { TransportError } from "./errors.ts";
import { freeId } from "./ids.ts";
import { checkMajor, readReply } from "./reply.ts";
import { alertName } from "./tls_refusal.ts";

export interface ConnectionLimits {
  /**
   * Requests that the server may have at once, at least 1; it reads no more of a connection than
   * 1,024. Default 1,024.
   */
  readonly maxOutstanding?: number | undefined;
  /**
   * Requests that may wait here, at least 1, until one of those is answered; their deadlines run
   * on. Default 65,536.
   */
  readonly maxWaiting?: number | undefined;
}

export interface ConnectionOptions extends DialOptions, ConnectionLimits {
  /** The first request's id; they count up from there, and wrap around. Default 1. */
  readonly firstId?: number | undefined;
  /** Called once, before the requests on the connection fail. */
  readonly onClose?: (() => void) | undefined;
}

/**
 * One TLS connection to a key server, with many requests under way at once, answered in any order.
 *
 * A request that was given up leaves its id taken until the server answers it: that answer is
 * dropped. Any other answer that was not asked for, a broken packet, or an opcode that is no reply to
 * its request fails every request on the connection with "REPLY_BROKEN", and closes it.
 */
export class Connection implements Carrier {
  readonly handshake: Handshake;
  readonly #server: string;
  readonly #socket: TLSSocket;
  readonly #framer = new Framer();
  readonly #maxOutstanding: number;
  readonly #maxWaiting: number;
  readonly #onClose: (() => void) | undefined;
  readonly #outstanding = new Map<number, Call>();
  readonly #givenUp = new Set<number>();
  readonly #waiting = new Set<Call>();
  readonly #deadlines = new Deadlines();
  #outbox: Uint8Array[] = [];
  #nextId: number;
  #heard = false;
  #closedBy: KeylessError | undefined;

  /**
   * Connects and shakes hands.
   *
   * @throws as `dial`
   */
  static open(options: ConnectionOptions): Promise<Connection> {
    return dial(options, (socket, handshake) => new Connection(socket, handshake, options));
  }

  private constructor(socket: TLSSocket, handshake: Handshake, options: ConnectionOptions) {
    this.handshake = handshake;
    this.#server = endpointText(options.endpoint);
    this.#socket = socket;
    this.#maxOutstanding = options.maxOutstanding ?? DEFAULT_MAX_OUTSTANDING;
    this.#maxWaiting = options.maxWaiting ?? DEFAULT_MAX_WAITING;
    this.#onClose = options.onClose;
    this.#nextId = options.firstId ?? 1;
    socket.on("data", (chunk: Uint8Array) => this.#receive(chunk));
    socket.on("error", (error) => this.#fail(this.#lossError(error)));
    socket.on("end", () => this.#fail(this.#lossError(undefined)));
    socket.on("close", () => this.#fail(this.#lossError(undefined)));
  }

  /** False once the connection is lost or closed: requests fail from then on. */
  get isOpen(): boolean {
    return this.#closedBy === undefined;
  }

  /**
   * One request on this connection, without a second attempt. Its bytes are copied before this
   * returns.
   *
   * @throws KeylessError as `KeylessClient.request`
   */
  request(
    operation: Operation,
    options: RequestOptions & { timeoutMs: number },
  ): Promise<Operation> {
    const setting = {
      server: this.#server,
      deadlines: this.#deadlines,
      attempts: 1,
      carry: (call: Call) => this.submit(call),
    };
    return startCall(operation, setting, options.timeoutMs, options.signal, (reply) => reply);
  }

  /** Sends a call, or lets it wait for its turn; `call.answered` or `call.failed` follows. */
  submit(call: Call): void {
    if (this.#closedBy !== undefined) return call.failed(this.#closedBy);
    if (this.#hasRoom()) return this.#send(call);
    if (this.#waiting.size >= this.#maxWaiting) return call.failed(queueFull(this.#maxWaiting));
    call.carrier = this;
    this.#waiting.add(call);
  }

  giveUp(call: Call): void {
    if (this.#waiting.delete(call)) return;
    if (!this.#outstanding.delete(call.id)) return;
    this.#givenUp.add(call.id);
    if (this.#givenUp.size >= this.#maxOutstanding) {
      this.#fail(
        new TransportError(
          "CONNECTION_LOST",
          `${this.#server} left ${this.#givenUp.size} requests unanswered; ` +
            "the connection was closed",
        ),
      );
    }
  }

  /** Closes the connection in good order; requests that are under way fail with "ABORTED". */
  close(): void {
    const error = new KeylessError("ABORTED", `the connection to ${this.#server} was closed here`);
    this.#end(error, () => {
      this.#socket.destroySoon();
      setTimeout(() => this.#socket.destroy(), CLOSE_MS).unref(); // it may not take what is left
    });
  }

  #hasRoom(): boolean {
    return this.#outstanding.size + this.#givenUp.size < this.#maxOutstanding;
  }

  #send(call: Call): void {
    let packet: Uint8Array;
    const id = freeId(this.#nextId, this.#outstanding, this.#givenUp);
    try {
      packet = encodePacket(id, call.operation);
    } catch (error) {
      return call.failed(error as FormatError);
    }
    this.#nextId = id + 1;
    call.carrier = this;
    call.id = id;
    this.#outstanding.set(id, call);
    if (this.#outbox.push(packet) === 1) queueMicrotask(() => this.#flush());
  }

  /** One write for all requests of a tick. */
  #flush(): void {
    const packets = this.#outbox;
    this.#outbox = [];
    if (this.#closedBy !== undefined) return;
    this.#socket.write(packets.length === 1 ? packets[0]! : Buffer.concat(packets));
  }

  #receive(chunk: Uint8Array): void {
    this.#heard = true;
    try {
      this.#framer.push(chunk);
      while (this.#closedBy === undefined) {
        const major = this.#framer.nextMajor;
        if (major === undefined) break;
        checkMajor(major);
        const packet = this.#framer.next();
        if (packet === undefined) break;
        this.#take(packet);
      }
    } catch (error) {
      this.#fail(
        new TransportError(
          "REPLY_BROKEN",
          `${this.#server} sent what the protocol forbids: ${messageOf(error)}`,
          { cause: error },
        ),
      );
    }
  }

  #take(packet: Packet): void {
    const call = this.#outstanding.get(packet.id);
    if (call === undefined) {
      if (!this.#givenUp.delete(packet.id)) {
        throw new FormatError("REPLY_BROKEN", `an answer to ${packet.id}, which nothing asked`);
      }
    } else {
      const reply = readReply(packet, call.operation);
      this.#outstanding.delete(packet.id);
      call.answered(reply);
    }
    if (this.#waiting.size > 0) this.#sendWaiting();
  }

  #sendWaiting(): void {
    for (const next of this.#waiting) {
      if (!this.#hasRoom()) break;
      this.#waiting.delete(next);
      this.#send(next);
    }
  }

  #fail(error: KeylessError): void {
    this.#end(error, () => this.#socket.destroy());
  }

  #end(error: KeylessError, endSocket: () => void): void {
    if (this.#closedBy !== undefined) return;
    this.#closedBy = error;
    endSocket();
    this.#onClose?.();
    const calls = [...this.#outstanding.values(), ...this.#waiting];
    this.#outstanding.clear();
    this.#waiting.clear();
    this.#givenUp.clear();
    for (const call of calls) call.failed(error);
  }

  /** Under TLS 1.3 a server's refusal of the client's certificate comes after the handshake. */
  #lossError(cause: Error | undefined): TransportError {
    const alert = alertName(cause);
    if (alert !== undefined && !this.#heard) {
      return new TransportError(
        "TLS_REFUSED",
        `${this.#server} refused the client's certificate with the alert "${alert}"; ` +
          "see that the server's CA issued it, and that it is valid today and meant for clients",
        { cause },
      );
    }
    if (this.#heard || this.handshake.version !== "TLSv1.3") {
      const reason = cause === undefined ? "" : `: ${messageOf(cause)}`;
      return new TransportError(
        "CONNECTION_LOST",
        `the connection to ${this.#server} ended before the answer${reason}`,
        { cause },
      );
    }
    return new TransportError(
      "TLS_REFUSED",
      `${this.#server} closed the connection before its first answer: ` +
        "most likely it does not accept the client's certificate; " +
        "see that the server's CA issued it, and that it is valid today and meant for clients",
      { cause },
    );
  }
}

export const DEFAULT_MAX_OUTSTANDING = 1_024;
export const DEFAULT_MAX_WAITING = 65_536;
const CLOSE_MS = 1_000;

/** What a request is refused with that finds too many others waiting. */
export function queueFull(maxWaiting: number): KeylessError {
  return new KeylessError(
    "QUEUE_FULL",
    `${maxWaiting} requests wait for the server already; ask for less at once, or ` +
      "use more servers",
  );
}
