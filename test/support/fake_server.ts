import { Buffer } from "node:buffer";
import { EventEmitter, once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import { createServer, type TlsOptions, type TLSSocket } from "node:tls";
import { Framer } from "../../src/protocol/framer.ts";
import { OP_PING, OP_PONG, OP_RESPONSE } from "../../src/protocol/opcodes.ts";
import { decodeOperation, type Operation } from "../../src/protocol/operation.ts";
import { encodePacket } from "../../src/protocol/packet.ts";
import type { TestPki } from "./test_server.ts";

export interface Request {
  readonly id: number;
  readonly operation: Operation;
}

/** One client's connection, in a script's hands. */
export interface FakePeer {
  readonly socket: TLSSocket;
  /** What this connection has asked so far. */
  readonly requests: readonly Request[];
  reply(id: number, operation: Operation): void;
  /** Bytes that need not be a packet. */
  send(bytes: Uint8Array): void;
}

/** What a server does with each request. */
export type Script = (request: Request, peer: FakePeer) => void;

export interface FakeServer extends AsyncDisposable {
  readonly port: number;
  /** Connections whose handshake was completed, in their order. */
  readonly peers: readonly FakePeer[];
  /** Resolves when so many requests have come, over all connections. */
  received(count: number): Promise<void>;
  close(): Promise<void>;
}

export interface FakeServerOptions extends TlsOptions {
  /** Default: one that the system chooses. */
  readonly port?: number;
  /** A UNIX socket instead of a loopback port. */
  readonly path?: string;
  readonly onConnect?: (peer: FakePeer) => void;
}

/** A TLS peer that follows a script, so that it can misbehave in every way. */
export async function startFakeServer(
  pki: TestPki,
  script: Script,
  options: FakeServerOptions = {},
): Promise<FakeServer> {
  const { path, port: wantedPort = 0, onConnect, ...tls } = options;
  const peers: FakePeer[] = [];
  const sockets = new Set<Socket>();
  const arrivals = new EventEmitter();
  const server = createServer({
    cert: Buffer.from(pki.credentials.certificate),
    key: Buffer.from(pki.credentials.key),
    ca: Buffer.from(pki.credentials.clientAuthority),
    requestCert: true,
    rejectUnauthorized: true,
    ...tls,
  }, (socket) => {
    const peer = follow(socket, script, () => arrivals.emit("request"));
    peers.push(peer);
    onConnect?.(peer);
  });
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
  });
  server.on("tlsClientError", (_error, socket) => socket.destroy());
  await new Promise<void>((resolve) => {
    if (path === undefined) server.listen(wantedPort, "127.0.0.1", resolve);
    else server.listen(path, resolve);
  });
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const { socket } of peers) socket.destroy();
      for (const socket of sockets) socket.destroy();
    });
  const port = path === undefined ? (server.address() as AddressInfo).port : 0;
  const received = async (count: number) => {
    const come = () => peers.reduce((sum, peer) => sum + peer.requests.length, 0);
    while (come() < count) await once(arrivals, "request");
  };
  return { port, peers, received, close, [Symbol.asyncDispose]: close };
}

/** Answers pings as a server should, and everything else with the payload that it was sent. */
export function echo({ id, operation }: Request, peer: FakePeer): void {
  const opcode = operation.opcode === OP_PING ? OP_PONG : OP_RESPONSE;
  peer.reply(id, { opcode, payload: operation.payload });
}

/** Never answers. */
export function silent(): void {}

function follow(socket: TLSSocket, script: Script, onRequest: () => void): FakePeer {
  const framer = new Framer(64 * 1_048_576);
  const requests: Request[] = [];
  const peer: FakePeer = {
    socket,
    requests,
    reply: (id, operation) => peer.send(encodePacket(id, operation)),
    send: (bytes) => void socket.write(bytes),
  };
  socket.on("error", () => {});
  socket.on("data", (chunk) => {
    framer.push(chunk);
    for (let packet = framer.next(); packet !== undefined; packet = framer.next()) {
      const request = { id: packet.id, operation: decodeOperation(packet.body) };
      requests.push(request);
      onRequest();
      script(request, peer);
    }
  });
  return peer;
}
