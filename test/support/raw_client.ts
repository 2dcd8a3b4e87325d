import { connect as connectTcp } from "node:net";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import { Framer } from "../../src/protocol/framer.ts";
import { OP_PING } from "../../src/protocol/opcodes.ts";
import { decodeOperation, type Operation } from "../../src/protocol/operation.ts";
import { encodePacket } from "../../src/protocol/packet.ts";
import { pauseReading } from "../../src/runtime/socket.ts";

export interface Reply {
  readonly id: number;
  readonly operation: Operation;
}

/** A client that sends whatever bytes a test likes, and shows what comes back. */
export class RawClient {
  readonly socket: TLSSocket;
  /** Resolves when the connection is gone, with the error that ended it, if one did. */
  readonly closed: Promise<Error | undefined>;
  readonly #framer = new Framer(64 * 1_048_576);
  readonly #waiting: ((reply: Reply | undefined) => void)[] = [];
  readonly #replies: Reply[] = [];
  #gone = false;

  private constructor(socket: TLSSocket) {
    this.socket = socket;
    let failure: Error | undefined;
    socket.on("error", (error) => failure = error);
    this.closed = new Promise((resolve) =>
      socket.on("close", () => {
        this.#gone = true;
        for (const wake of this.#waiting.splice(0)) wake(undefined);
        resolve(failure);
      })
    );
    socket.on("data", (chunk) => {
      this.#framer.push(chunk);
      for (let packet = this.#framer.next(); packet; packet = this.#framer.next()) {
        const reply = { id: packet.id, operation: decodeOperation(packet.body) };
        const wake = this.#waiting.shift();
        if (wake) wake(reply);
        else this.#replies.push(reply);
      }
    });
  }

  /** Connects and waits for the handshake; rejects with the error that stood in its way. */
  static open(options: ConnectionOptions): Promise<RawClient> {
    const raw = options.path === undefined
      ? connectTcp(options.port ?? 0, options.host ?? "127.0.0.1")
      : connectTcp(options.path);
    const { path: _path, port: _port, host: _host, ...tls } = options;
    const socket = connect({ servername: "localhost", ...tls, socket: raw });
    raw.on("error", (error) => socket.destroy(error));
    const client = new RawClient(socket);
    return new Promise((resolve, reject) => {
      socket.once("secureConnect", () => resolve(client));
      client.closed.then((error) => reject(error ?? new Error("closed in the handshake")));
    });
  }

  send(id: number, operation: Operation): void {
    this.socket.write(encodePacket(id, operation));
  }

  /** The next reply, or undefined when the connection ends before one. */
  next(): Promise<Reply | undefined> {
    const reply = this.#replies.shift();
    if (reply !== undefined) return Promise.resolve(reply);
    if (this.#gone) return Promise.resolve(undefined);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async ask(id: number, operation: Operation): Promise<Operation | undefined> {
    this.send(id, operation);
    return (await this.next())?.operation;
  }

  /** Takes nothing more from the socket. */
  stopReading(): void {
    pauseReading(this.socket);
  }

  /** Takes nothing more, and asks until the server reads nothing more either, or the end. */
  async fillWithUnreadReplies(): Promise<void> {
    this.stopReading();
    const payload = new Uint8Array(60_000);
    let id = 0;
    while (!this.#gone && (!this.socket.writableNeedDrain || await this.#drains())) {
      this.send(id++, { opcode: OP_PING, payload });
    }
  }

  #drains(): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), STALL_MS);
      this.socket.once("drain", () => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  }
}

const STALL_MS = 500;
