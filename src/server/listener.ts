import { constants } from "node:crypto";
import type { AddressInfo, Server, Socket } from "node:net";
import { createServer, type Server as TlsServer, type TLSSocket } from "node:tls";
import type { ClientIdentity } from "../keystore/keystore.ts";
import { rawSocketOf } from "../runtime/socket.ts";
import type { ServerLog } from "../telemetry/server_log.ts";
import type { HandshakeOutcome, ServerMetrics } from "../telemetry/server_metrics.ts";
import { listenError, type ListenFlags } from "./listen_error.ts";
import { clientIdentity, peerAddress, peerCertificates } from "./peer.ts";
import { refusalOf } from "./refusal.ts";
import { listenOnPath, removeSocketFile, type SocketFile } from "./unix_socket.ts";

/** The server's own certificate chain and key, and the authority that signs its clients; PEM. */
export interface ServerCredentials {
  readonly certificate: Uint8Array;
  readonly key: Uint8Array;
  readonly clientAuthority: Uint8Array;
}

/**
 * Where to listen: a TCP port (0: the system chooses) of a host ("": all addresses, IPv4 and IPv6)
 * or the path of a UNIX socket.
 */
export type ListenAddress =
  | { readonly host: string; readonly port: number }
  | { readonly path: string };

export interface ListenerOptions {
  readonly credentials: ServerCredentials;
  readonly handshakeMs: number;
  readonly log: ServerLog;
  readonly metrics: ServerMetrics;
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
  readonly #server: TlsServer;
  readonly #handshaking = new Set<Socket>();
  /** By raw socket, for as long as it lives: some events of Deno's come when it is closed. */
  readonly #arrivals = new WeakMap<object, Arrival>();
  /** Raw sockets that were closed from here: how their handshakes end is no news. */
  readonly #cut = new WeakSet<object>();
  #path: string | undefined;
  #socketFile: SocketFile | undefined;
  #address = "";
  #port: number | undefined;

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#server = createServer({
      cert: options.credentials.certificate as Buffer,
      key: options.credentials.key as Buffer,
      ca: options.credentials.clientAuthority as Buffer,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: "TLSv1.2",
      ciphers: CIPHERS,
      secureOptions: constants.SSL_OP_NO_TICKET,
      handshakeTimeout: options.handshakeMs,
      allowHalfOpen: true,
    });
    this.#server.on("connection", (socket: Socket) => this.#connection(socket));
    this.#server.on("tlsClientError", (error, socket) => this.#refused(error, socket));
    this.#server.on("secureConnection", (socket) => this.#secure(socket));
  }

  /** What it listens on, for the log: "127.0.0.1:2407", "unix:/run/keyless.sock". */
  get address(): string {
    return this.#address;
  }

  /** The TCP port that the system gave, if it is one. */
  get port(): number | undefined {
    return this.#port;
  }

  /** Connections whose handshake is not done. */
  get handshaking(): number {
    return this.#handshaking.size;
  }

  /** @throws KeylessError "LISTEN" */
  async listen(address: ListenAddress): Promise<void> {
    if ("path" in address) {
      this.#socketFile = await listenOnPath(this.#server, address.path);
      this.#path = address.path;
      this.#address = `unix:${address.path}`;
    } else {
      await listenOnPort(this.#server, address);
      const { address: host, port } = this.#server.address() as AddressInfo;
      this.#port = port;
      this.#address = peerAddress({ remoteAddress: host, remotePort: port }, undefined);
    }
    this.#server.on("error", (error) => this.#options.log.acceptFailed(error.message));
  }

  /**
   * Cuts the handshake that has lasted longest, for a newcomer.
   *
   * @returns false where no handshake is under way
   */
  cutOldestHandshake(): boolean {
    const [oldest] = this.#handshaking;
    if (oldest === undefined) return false;
    const arrival = this.#arrivals.get(oldest)!;
    this.#report(arrival, "limit", "its handshake was cut for a newcomer (max_connections)");
    this.#handshaking.delete(oldest);
    this.#cutOff(oldest);
    return true;
  }

  /** Accepts nothing more; connections in their handshake are cut, established ones live on. */
  close(): void {
    if (!this.#server.listening) return;
    this.#server.close();
    for (const socket of this.#handshaking) this.#cutOff(socket);
    if (this.#socketFile !== undefined) removeSocketFile(this.#socketFile);
  }

  #connection(socket: Socket): void {
    const arrival = { address: peerAddress(socket, this.#path), sinceMs: performance.now() };
    if (!this.#options.admits()) {
      this.#report(arrival, "limit", "as many connections are open as may be (max_connections)");
      this.#cutOff(socket);
      return;
    }
    this.#arrivals.set(socket, arrival);
    this.#handshaking.add(socket);
    socket.once("close", () => this.#handshaking.delete(socket));
  }

  #cutOff(socket: Socket): void {
    this.#cut.add(socket);
    socket.destroy();
  }

  #refused(error: Error, socket: TLSSocket): void {
    const arrival = this.#handshakeEnded(socket);
    if (!this.#cut.has(rawSocketOf(socket))) {
      const { outcome, reason } = refusalOf(error);
      this.#report(arrival, outcome, reason);
    }
    socket.on("error", () => {}); // it is gone either way
    socket.destroy();
  }

  #secure(socket: TLSSocket): void {
    const { address, sinceMs } = this.#handshakeEnded(socket);
    const { log, metrics, accept } = this.#options;
    const tlsVersion = socket.getProtocol() ?? "unknown";
    metrics.handshake("ok", performance.now() - sinceMs, tlsVersion);
    const refusal = socket.isSessionReused()
      ? "it resumed a session; every connection must be proved"
      : socket.authorized
      ? undefined
      : "its certificate was not verified"; // which `rejectUnauthorized` has seen to already
    if (refusal !== undefined) {
      metrics.connectionFailed();
      log.refused(address, refusal);
      socket.on("error", () => {});
      socket.destroy();
      return;
    }
    const certificate = socket.getPeerCertificate(true);
    for (const der of peerCertificates(certificate)) {
      metrics.certificates.seen(der, this.#address);
    }
    accept(socket, clientIdentity(certificate, address), tlsVersion);
  }

  #report({ address, sinceMs }: Arrival, outcome: HandshakeOutcome, reason: string): void {
    this.#options.metrics.handshake(outcome, performance.now() - sinceMs);
    this.#options.log.refused(address, reason);
  }

  /**
   * @returns where the peer is, and since when. The raw socket, which knew it, is another object than
   *   the TLS socket on Deno, the same on Bun.
   */
  #handshakeEnded(socket: TLSSocket): Arrival {
    const raw = rawSocketOf(socket);
    this.#handshaking.delete(raw as Socket);
    return this.#arrivals.get(raw) ??
      { address: peerAddress(socket, this.#path), sinceMs: performance.now() };
  }
}

/** A peer that has connected. */
interface Arrival {
  readonly address: string;
  /** On the clock of `performance.now()`. */
  readonly sinceMs: number;
}

/** The reference's two suites for TLS 1.2, and those of TLS 1.3. Deno ignores the list. */
export const CIPHERS = [
  "TLS_AES_256_GCM_SHA384",
  "TLS_AES_128_GCM_SHA256",
  "TLS_CHACHA20_POLY1305_SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
].join(":");

/** @throws KeylessError "LISTEN" */
export async function listenOnPort(
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
  flags?: ListenFlags,
): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(host === "" ? { port } : { port, host }, () => {
        server.off("error", reject);
        resolve();
      });
    });
  } catch (error) {
    throw listenError(`${host === "" ? "" : `${host} `}port ${port}`, "port", error, flags);
  }
}
