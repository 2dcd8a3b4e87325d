import { constants } from "node:crypto";
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server as HttpServer,
  type ServerResponse,
} from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import {
  createServer as createTlsServer,
  type Server as TlsServer,
  type TLSSocket,
} from "node:tls";
import { systemCode } from "../errors/system.ts";
import { rawSocketOf } from "../runtime/socket.ts";
import type { ListenFlags } from "../server/listen_error.ts";
import { listenOnPort } from "../server/listen_port.ts";
import { CIPHERS, type ServerCredentials } from "../server/listener.ts";
import { peerAddress } from "../server/peer.ts";
import { listenOnPath, removeSocketFile, type SocketFile } from "../server/unix_socket.ts";
import { whyUnproved } from "./client_proof.ts";
import { type HttpAddress, isLoopback } from "./http_address.ts";
import { answer, headersOf, refusal, type Site, UNKNOWN_ROUTE } from "./http_answer.ts";
import { HttpConnections } from "./http_connections.ts";
import { HTTP_LIMITS, type HttpLimits } from "./http_limits.ts";
import type { HttpMetrics } from "./http_metrics.ts";
import type { HttpPeer } from "./route.ts";
import { Turns } from "./turns.ts";

export interface HttpPortOptions extends Site {
  readonly address: HttpAddress;
  /** For HTTPS. */
  readonly credentials?: ServerCredentials;
  /** Ask for a client's certificate; peers are let in without one, for each route to judge. */
  readonly asksForCertificate?: boolean;
  readonly metrics: HttpMetrics;
  /** What an error at the start tells the operator to change. */
  readonly flags: ListenFlags;
  readonly limits?: Partial<HttpLimits>;
}

/**
 * Serves HTTP/1.1, one request a connection. The body of a request is never read.
 *
 * @throws KeylessError "LISTEN"
 */
export async function openHttpPort(options: HttpPortOptions): Promise<HttpPort> {
  const port = new HttpPort(options);
  await port.listen();
  return port;
}

/**
 * Sockets are accepted, bounded and timed here, and then handed to the runtime's own TLS and HTTP
 * servers, which do not listen themselves, by emitting their event "connection": they do the
 * handshakes, read requests and write responses. So both runtimes have the same limits, and the same
 * judgement of a client's certificate as the key server. Their HTTPS servers would have neither.
 */
export class HttpPort {
  readonly #options: HttpPortOptions;
  readonly #limits: HttpLimits;
  readonly #connections: HttpConnections;
  readonly #server: Server;
  readonly #turns = new Turns();
  #socketFile: SocketFile | undefined;
  #isLocal = false;
  #address = "";
  #port: number | undefined;

  /** Use `openHttpPort`. */
  constructor(options: HttpPortOptions) {
    this.#options = options;
    this.#limits = { ...HTTP_LIMITS, ...options.limits };
    this.#connections = new HttpConnections(this.#limits, options.metrics);
    this.#server = this.#createServer();
  }

  /** What it listens on, for the log: "127.0.0.1:2406", "unix:/run/keyless-status.sock". */
  get address(): string {
    return this.#address;
  }

  /** The TCP port that the system gave, if it is one. */
  get port(): number | undefined {
    return this.#port;
  }

  /** @throws KeylessError "LISTEN" */
  async listen(): Promise<void> {
    const { address, flags } = this.#options;
    if (address.kind === "unix") {
      this.#socketFile = await listenOnPath(this.#server, address.path, flags);
      this.#isLocal = true;
      this.#address = `unix:${address.path}`;
    } else {
      await listenOnPort(this.#server, address, flags);
      const { address: host, port } = this.#server.address() as AddressInfo;
      this.#isLocal = isLoopback(host);
      this.#port = port;
      this.#address = peerAddress({ remoteAddress: host, remotePort: port }, undefined);
    }
    this.#server.on("error", () => {}); // a connection that cannot be accepted: its peer sees it
  }

  /** Listens no more and cuts every connection; a socket's file is removed. */
  close(): void {
    if (this.#server.listening) this.#server.close();
    this.#connections.cutAll();
    if (this.#socketFile !== undefined) removeSocketFile(this.#socketFile);
  }

  #createServer(): Server {
    const serve = (request: IncomingMessage, response: ServerResponse) =>
      void this.#serve(request, response);
    const http = createHttpServer({ maxHeaderSize: this.#limits.maxHeaderBytes }, serve);
    Object.assign(http, { httpAllowHalfOpen: true }); // or Deno answers nobody who sends no more
    http.on("checkContinue", serve); // no body is wanted
    http.on("checkExpectation", serve); // or the runtime answers by itself
    http.on("clientError", (error, socket) => this.#refuse(socket as Socket, error));
    http.on("upgrade", (_request, socket) => this.#refuse(socket as Socket));
    http.on("connect", (_request, socket) => this.#refuse(socket as Socket));
    http.prependListener("connection", (socket) => {
      socket.on("error", () => {}); // it closes then
      socket.once("end", () => this.#ended(socket));
    });
    const tls = this.#createTls(http);
    return createServer({ allowHalfOpen: true }, (socket) => {
      this.#connections.add(socket, () => void (tls ?? http).emit("connection", socket));
    });
  }

  /** Does the handshakes of HTTPS, and hands the connections on. */
  #createTls(http: HttpServer): TlsServer | undefined {
    const { credentials, asksForCertificate = false } = this.#options;
    if (credentials === undefined) return undefined;
    const server = createTlsServer({
      cert: credentials.certificate as Buffer,
      key: credentials.key as Buffer,
      minVersion: "TLSv1.2",
      ciphers: CIPHERS,
      allowHalfOpen: true,
      secureOptions: constants.SSL_OP_NO_TICKET, // a resumed session would prove nothing
      ...(asksForCertificate
        ? {
          ca: credentials.clientAuthority as Buffer,
          requestCert: true,
          rejectUnauthorized: false,
        }
        : {}),
    });
    server.on("tlsClientError", (_error, socket) => {
      socket.on("error", () => {});
      socket.destroy();
    });
    server.on("secureConnection", (socket) => void http.emit("connection", socket));
    return server;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request;
    const raw = rawSocketOf(socket as TLSSocket);
    if (!this.#connections.startAnswer(raw)) return; // a second request is not read
    const { metrics } = this.#options;
    const startMs = performance.now();
    const closed = new Promise((resolve) => response.once("close", resolve));
    metrics.active += 1;
    const { route, reply } = await answer(request, this.#peerOf(socket), this.#options);
    await this.#turns.next(); // a result that many waited for leaves one by one
    this.#connections.answered(raw);
    if (!socket.destroyed) {
      response.writeHead(reply.status, headersOf(reply));
      response.end(request.method === "HEAD" ? undefined : reply.body);
    }
    await closed;
    metrics.active -= 1;
    const durationMs = performance.now() - startMs;
    const { bytesRead, bytesWritten } = socket;
    metrics.answered({ route, status: reply.status, durationMs, bytesRead, bytesWritten });
    reply.sent?.();
  }

  #peerOf(socket: Socket): HttpPeer {
    const { credentials, asksForCertificate = false } = this.#options;
    const unproved = credentials === undefined
      ? "this port has no TLS"
      : asksForCertificate
      ? whyUnproved(socket as TLSSocket)
      : "this port does not ask for certificates";
    const { address: own } = this.#options;
    const address = peerAddress(socket, own.kind === "unix" ? own.path : undefined);
    return { address, isLocal: this.#isLocal, unproved };
  }

  /** The peer sends no more; it may wait for its answer, if it has asked. */
  #ended(socket: Socket): void {
    const raw = rawSocketOf(socket as TLSSocket);
    if (this.#connections.startAnswer(raw)) socket.destroy();
  }

  /** What cannot be read as a request. */
  #refuse(socket: Socket, error?: Error): void {
    const raw = rawSocketOf(socket as TLSSocket);
    const isEmpty = socket.bytesRead === 0;
    if (!this.#connections.startAnswer(raw) || isEmpty || !socket.writable) {
      socket.destroy();
      return;
    }
    const status = systemCode(error) === "HPE_HEADER_OVERFLOW" ? 431 : 400;
    const text = refusal(status);
    const { bytesRead } = socket;
    this.#options.metrics.answered({
      ...{ route: UNKNOWN_ROUTE, status, durationMs: 0, bytesRead, bytesWritten: text.length },
    });
    socket.end(text);
    setTimeout(() => socket.destroy(), LINGER_MS);
  }
}

/** How long a peer may go on sending what is not read. */
const LINGER_MS = 200;
