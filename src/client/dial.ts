import { isIP, type Socket } from "node:net";
import { checkServerIdentity, connect as connectTls, type TLSSocket } from "node:tls";
import type { Credentials } from "./credentials.ts";
import { type Endpoint, endpointText } from "./endpoint.ts";
import { TransportError } from "./errors.ts";
import { connectAny, resolve } from "./reach.ts";
import { type Patience, withinTime } from "./step.ts";
import { handshakeError } from "./tls_refusal.ts";

/** The steps before the first request, in their order. */
export type Phase = "resolve" | "connect" | "tls";

export interface DialOptions {
  readonly endpoint: Endpoint;
  readonly credentials: Credentials;
  /** The name that the server's certificate must be for; default: `serverNameOf(endpoint)`. */
  readonly serverName?: string | undefined;
  /** For all phases together. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Told of each phase that was completed. */
  readonly onPhase?: ((phase: Phase, elapsedMs: number) => void) | undefined;
}

/** What a handshake settled. */
export interface Handshake {
  /** The address that was reached, or the socket's path. */
  readonly address: string;
  /** "TLSv1.2" or "TLSv1.3". */
  readonly version: string;
  /** The suite's name as IANA lists it. */
  readonly suite: string;
  /** The server's certificate, DER. */
  readonly serverCertificate: Uint8Array;
}

/**
 * Resolves, connects, and shakes hands: TLS 1.2 or 1.3, the server's certificate verified against
 * the CA and the name, always.
 *
 * @param adopt called within the event that completes the handshake, so that it can listen before
 *   any further event of the socket
 * @throws TransportError "RESOLVE", "CONNECT" (also for a handshake that takes too long),
 *   "TLS_REFUSED"; KeylessError "ABORTED"
 */
export async function dial<T>(
  options: DialOptions,
  adopt: (socket: TLSSocket, handshake: Handshake) => T,
): Promise<T> {
  const patience = { ...options, deadlineMs: performance.now() + options.timeoutMs };
  const raw = await reach(patience, options.onPhase);
  const startMs = performance.now();
  const adopted = await shakeHands(raw, options, patience, adopt);
  options.onPhase?.("tls", performance.now() - startMs);
  return adopted;
}

/**
 * A socket to the endpoint, without TLS yet.
 *
 * @throws TransportError as `resolve` and `connectAny`; KeylessError "ABORTED"
 */
export async function reach(
  patience: Patience,
  onPhase?: (phase: Phase, elapsedMs: number) => void,
): Promise<Socket> {
  const { endpoint } = patience;
  if (endpoint.kind === "unix") {
    const startMs = performance.now();
    const socket = await connectAny([{ path: endpoint.path }], patience);
    onPhase?.("connect", performance.now() - startMs);
    return socket;
  }
  const startMs = performance.now();
  const goals = await resolve(endpoint.host, endpoint.port, patience);
  const resolvedMs = performance.now();
  onPhase?.("resolve", resolvedMs - startMs);
  const socket = await connectAny(goals, patience);
  onPhase?.("connect", performance.now() - resolvedMs);
  return socket;
}

/** The name that a server's certificate is checked for where none is given. */
export function serverNameOf(endpoint: Endpoint): string {
  return endpoint.kind === "unix" ? "localhost" : endpoint.host;
}

/** What goes into the handshake so that the server knows which name is meant. */
export function sniOf(name: string): string {
  return isIP(name) === 0 ? name : ""; // RFC 6066 section 3: no literal addresses
}

function shakeHands<T>(
  raw: Socket,
  options: DialOptions,
  patience: Patience,
  adopt: (socket: TLSSocket, handshake: Handshake) => T,
): Promise<T> {
  const { endpoint, credentials } = options;
  const name = options.serverName ?? serverNameOf(endpoint);
  const where = endpointText(endpoint);
  raw.setNoDelay(true);
  raw.setKeepAlive(true, KEEP_ALIVE_MS);
  const socket = connectTls({
    socket: raw,
    secureContext: credentials.secureContext,
    host: name,
    servername: sniOf(name),
    rejectUnauthorized: true,
    checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate),
  });
  return withinTime<T>(patience, {
    late: (ms) =>
      new TransportError(
        "CONNECT",
        `the TLS handshake with ${where} did not end within ${ms} ms; ` +
          "the server is overloaded, or what listens there does not speak TLS",
      ),
    start: (done, fail) => {
      socket.on("error", (error) => fail(handshakeError(error, where, name)));
      socket.once("close", () => fail(handshakeError(CLOSED, where, name)));
      socket.once("secureConnect", () => {
        try {
          done(adopt(socket, handshakeOf(socket, raw, endpoint)));
        } catch (error) {
          fail(error);
        }
      });
    },
    stop: () => {
      socket.destroy();
      raw.destroy();
    },
  });
}

const KEEP_ALIVE_MS = 30_000;
const CLOSED = Object.assign(new Error("closed"), { code: "ECONNRESET" });

function handshakeOf(socket: TLSSocket, raw: Socket, endpoint: Endpoint): Handshake {
  return {
    address: endpoint.kind === "unix" ? endpoint.path : raw.remoteAddress ?? endpoint.host,
    version: socket.getProtocol() ?? "",
    suite: socket.getCipher().standardName,
    serverCertificate: new Uint8Array(socket.getPeerCertificate().raw),
  };
}
