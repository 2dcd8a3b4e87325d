import { constants } from "node:crypto";
import type { AddressInfo, Socket } from "node:net";
import { createServer, type TLSSocket } from "node:tls";
import type { ClientIdentity } from "../keystore/keystore.ts";
import { type HeldHandshakes, holdHandshakes } from "../runtime/held_handshakes.ts";
import { cutSocket, rawSocketOf } from "../runtime/socket.ts";
import type { ServerLog } from "../telemetry/server_log.ts";
import type { ServerMetrics } from "../telemetry/server_metrics.ts";
import type { Handshakes } from "./handshakes.ts";
import { listenOnPort, type PortAddress } from "./listen_port.ts";
import type { Newcomer } from "./newcomers.ts";
import { clientIdentity, peerAddress, peerCertificates } from "./peer.ts";
import { type Refusal, refusalOf } from "./refusal.ts";
import { listenOnDescriptor, type SharedSocket } from "./unix_listener.ts";
import { listenOnPath, removeSocketFile, type SocketFile } from "./unix_socket.ts";

/** The server's own certificate chain and key, and the authority that signs its clients; PEM. */
export interface ServerCredentials {
  readonly certificate: Uint8Array;
  readonly key: Uint8Array;
  readonly clientAuthority: Uint8Array;
}

/**
 * Where to listen: a TCP port; the path of a UNIX socket, which is made; or one that listens already,
 * whose file is left alone.
 */
export type ListenAddress = PortAddress | { readonly path: string } | SharedSocket;

export interface ListenerOptions {
  readonly credentials: ServerCredentials;
  readonly log: ServerLog;
  readonly metrics: ServerMetrics;
  /** Those of all listeners of the server. */
  readonly handshakes: Handshakes;
  /** Whether one more connection may come; asked before its handshake. */
  readonly admits: () => boolean;
  /** An authenticated client; the listener has no more to do with it. */
  readonly accept: (socket: TLSSocket, client: ClientIdentity, tlsVersion: string) => void;
}

/**
 * Accepts connections and proves who they are: nothing gets past here without a certificate of the
 * client authority. Sessions are never resumed, so that every connection proves it anew: off on Bun;
 * on Deno, which cannot switch it off, a resumed session is closed.
 */
export class Listener {
  readonly #options: ListenerOptions;
  readonly #held: HeldHandshakes;
  /** By raw socket, for as long as it lives: some events of Deno's come when it is closed. */
  readonly #arrivals = new WeakMap<object, Arrival>();
  readonly #actions: ArrivalActions = {
    begin: (socket) => this.#held.begin(socket),
    report: (arrival, why) => this.#report(arrival, why),
  };
  #path: string | undefined;
  #socketFile: SocketFile | undefined;
  #address = "";
  #port: number | undefined;

  constructor(options: ListenerOptions) {
    this.#options = options;
    const server = createServer({
      cert: options.credentials.certificate as Buffer,
      key: options.credentials.key as Buffer,
      ca: options.credentials.clientAuthority as Buffer,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: "TLSv1.2",
      ciphers: CIPHERS,
      secureOptions: constants.SSL_OP_NO_TICKET,
      handshakeTimeout: NEVER_MS,
    });
    server.on("tlsClientError", (error, socket) => this.#refused(error, socket));
    server.on("secureConnection", (socket) => this.#secure(socket));
    this.#held = holdHandshakes(server, (socket) => this.#connection(socket));
  }

  /** What it listens on, for the log: "127.0.0.1:2407", "unix:/run/keyless.sock". */
  get address(): string {
    return this.#address;
  }

  /** The TCP port that the system gave, if it is one. */
  get port(): number | undefined {
    return this.#port;
  }

  /** @throws KeylessError "LISTEN" */
  async listen(address: ListenAddress): Promise<void> {
    if ("path" in address) {
      if ("fd" in address) await listenOnDescriptor(this.#held.server, address);
      else this.#socketFile = await listenOnPath(this.#held.server, address.path);
      this.#path = address.path;
      this.#address = `unix:${address.path}`;
    } else {
      await listenOnPort(this.#held.server, address);
      const { address: host, port } = this.#held.server.address() as AddressInfo;
      this.#port = port;
      this.#address = peerAddress({ remoteAddress: host, remotePort: port }, undefined);
    }
    this.#held.server.on("error", (error) => this.#options.log.acceptFailed(error.message));
  }

  /** Accepts nothing more; connections live on. */
  close(): void {
    if (!this.#held.server.listening) return;
    this.#held.server.close();
    if (this.#socketFile !== undefined) removeSocketFile(this.#socketFile);
  }

  #connection(socket: Socket): void {
    socket.on("error", ignored);
    const arrival = this.#arrivalOf(socket);
    this.#arrivals.set(socket, arrival);
    if (this.#options.admits()) {
      this.#options.handshakes.add(arrival);
    } else {
      const reason = "as many connections are open as may be (max_connections)";
      arrival.cut({ outcome: "limit", reason });
    }
  }

  #refused(error: Error, socket: TLSSocket): void {
    const arrival = this.#handshakeEnded(socket);
    if (!arrival.isCut) this.#report(arrival, refusalOf(error));
    socket.on("error", ignored);
    socket.destroy();
  }

  #secure(socket: TLSSocket): void {
    const { address, sinceMs, isCut } = this.#handshakeEnded(socket);
    if (isCut) return;
    // from here on, who sends no more may wait for his answers; before, he has left
    for (const each of [socket, rawSocketOf(socket) as Socket]) each.allowHalfOpen = true;
    const { log, metrics, accept } = this.#options;
    const tlsVersion = socket.getProtocol() ?? "unknown";
    const handshakeMs = performance.now() - sinceMs;
    const refusal = socket.isSessionReused()
      ? "it resumed a session; every connection must be proved"
      : socket.authorized
      ? undefined
      : "its certificate was not verified"; // which `rejectUnauthorized` has seen to already
    const certificate = socket.getPeerCertificate(true);
    const certificates = refusal === undefined ? peerCertificates(certificate) : [];
    metrics.established({ handshakeMs, certificates, listener: this.#address }, tlsVersion);
    if (refusal !== undefined) {
      metrics.connectionFailed();
      log.refused(address, refusal);
      socket.on("error", ignored);
      socket.destroy();
      return;
    }
    accept(socket, clientIdentity(certificate, address), tlsVersion);
  }

  #report({ address, sinceMs }: Arrival, { outcome, reason }: Refusal): void {
    this.#options.metrics.refused(outcome, performance.now() - sinceMs);
    this.#options.log.refused(address, reason);
  }

  #handshakeEnded(socket: TLSSocket): Arrival {
    const raw = rawSocketOf(socket) as Socket;
    const arrival = this.#arrivals.get(raw) ?? this.#arrivalOf(raw);
    this.#options.handshakes.ended(arrival);
    return arrival;
  }

  #arrivalOf(socket: Socket): Arrival {
    const address = peerAddress(socket, this.#path);
    const source = this.#path === undefined ? socket.remoteAddress ?? "unknown" : address;
    return new Arrival(socket, { address, source }, this.#actions);
  }
}

/** What its listener does for an arrival. */
interface ArrivalActions {
  begin(socket: Socket): void;
  report(arrival: Arrival, why: Refusal): void;
}

/** A peer that has connected. */
class Arrival implements Newcomer {
  readonly socket: Socket;
  readonly address: string;
  readonly source: string;
  readonly sinceMs = performance.now();
  readonly #actions: ArrivalActions;
  #isCut = false;

  constructor(
    socket: Socket,
    from: { readonly address: string; readonly source: string },
    actions: ArrivalActions,
  ) {
    this.socket = socket;
    this.address = from.address;
    this.source = from.source;
    this.#actions = actions;
  }

  /** It was ended from here: how its handshake ends is no news. */
  get isCut(): boolean {
    return this.#isCut;
  }

  begin(): void {
    this.#actions.begin(this.socket);
  }

  cut(why?: Refusal): void {
    this.#isCut = true;
    if (why !== undefined) this.#actions.report(this, why);
    cutSocket(this.socket);
  }
}

/** A socket that fails is closed, and that is heard of. */
const ignored = () => {};

/** As long as a timer can take; `Handshakes` has deadlines. */
const NEVER_MS = 2_147_483_647;

/** The reference's two suites for TLS 1.2, and those of TLS 1.3. Deno ignores the list. */
export const CIPHERS = [
  "TLS_AES_256_GCM_SHA384",
  "TLS_AES_128_GCM_SHA256",
  "TLS_CHACHA20_POLY1305_SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
].join(":");
