import { clearTimeout, setTimeout } from "node:timers";
import {
  connect as connectTls,
  createSecureContext,
  type DetailedPeerCertificate,
  type SecureContext,
  type SecureContextOptions,
  type TLSSocket,
} from "node:tls";
import { type Endpoint, endpointText, parseEndpoint } from "../../src/client/endpoint.ts";
import { TransportError } from "../../src/client/errors.ts";
import { reach, serverNameOf, sniOf } from "../../src/client/dial.ts";
import { type Patience, withinTime } from "../../src/client/step.ts";
import { alertName, handshakeError, refusalKind } from "../../src/client/tls_refusal.ts";
import { KeylessError, messageOf } from "../../src/errors/errors.ts";
import { printable } from "../../src/errors/printable.ts";
import type { Bundle } from "../../src/pki/bundle.ts";
import { type Certificate, parseCertificate } from "../../src/pki/certificates.ts";
import type { SourceResult } from "./sources.ts";

export interface HostOptions {
  /** For each host, from its name to its certificates. */
  readonly timeoutMs: number;
  /** The name that is asked for; that of the host where it is left out. */
  readonly serverName?: string | undefined;
  /** With the client certificate that is shown; none where it is left out. */
  readonly clientContext?: SecureContext | undefined;
}

/** What hosts are looked at with: more than a client takes that believes them. */
export function createContext(
  client: Pick<SecureContextOptions, "cert" | "key"> = {},
): SecureContext {
  return createSecureContext({ ...client, minVersion: "TLSv1.2", ecdhCurve: CURVES });
}

/** Whether a text names a server; what is wrong with it otherwise, `readHost` says. */
export function isHost(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\/|^unix:|^[^/*?{}]+:\d+$/i.test(text);
}

/**
 * The certificates that a TLS server presents: TLS 1.2 or 1.3. Nothing of them is verified, for
 * they are only looked at. The connection ends with the handshake.
 */
export async function readHost(text: string, options: HostOptions): Promise<SourceResult> {
  let source = text;
  try {
    const endpoint = endpointOf(text);
    source = endpointText(endpoint);
    const serverName = options.serverName ?? serverNameOf(endpoint);
    const { chain, refusal } = await look(endpoint, serverName, options);
    const warnings = refusal === undefined ? [] : [refusalText(source, refusal, options)];
    return { source, bundle: toBundle(chain), serverName, warnings };
  } catch (error) {
    if (!(error instanceof KeylessError)) throw error;
    return { source, error };
  }
}

/** With P-521, which Bun leaves out: under TLS 1.2 a server without it has nothing to show. */
const CURVES = "X25519:P-256:P-384:P-521";
const TLS_PREFIX = "tls://";
const HTTPS_PORT = 443;

function endpointOf(text: string): Endpoint {
  const isTls = text.startsWith(TLS_PREFIX);
  return parseEndpoint(isTls ? text.slice(TLS_PREFIX.length) : text, HTTPS_PORT);
}

interface Look {
  /** DER, in the order of the server's message. */
  readonly chain: readonly Uint8Array[];
  /** The error by which the server refused us after it had shown them. */
  readonly refusal: unknown;
}

async function look(endpoint: Endpoint, name: string, options: HostOptions): Promise<Look> {
  const { timeoutMs, clientContext } = options;
  const patience = { endpoint, timeoutMs, deadlineMs: performance.now() + timeoutMs };
  const raw = await reach(patience);
  const socket = connectTls({
    socket: raw,
    secureContext: clientContext ?? createContext(),
    host: name,
    servername: sniOf(name),
    rejectUnauthorized: false, // what is shown is looked at, never believed
  });
  try {
    return await shakeHands(socket, patience, options);
  } finally {
    socket.destroy();
    raw.destroy();
  }
}

async function shakeHands(
  socket: TLSSocket,
  patience: Patience,
  options: HostOptions,
): Promise<Look> {
  const where = endpointText(patience.endpoint);
  const look = await withinTime<{ readonly chain: Uint8Array[]; readonly end: Promise<unknown> }>(
    patience,
    {
      late: (ms) =>
        new TransportError(
          "CONNECT",
          `${where} showed no certificate within ${ms} ms; ` +
            "the server is overloaded, or what listens there does not speak TLS",
        ),
      start: (done, fail) => {
        const refused = (error: unknown) => {
          const chain = presentedChain(socket);
          if (chain.length === 0) fail(refusedError(where, error, options));
          else done({ chain, end: Promise.resolve(error) });
        };
        socket.on("error", refused);
        socket.once("close", () => refused(CLOSED));
        socket.once("secureConnect", () => {
          const chain = presentedChain(socket);
          if (chain.length > 0) done({ chain, end: lastWord(socket) });
          else fail(new TransportError("TLS_REFUSED", `${where} shows no readable certificate`));
        });
      },
    },
  );
  return { chain: look.chain, refusal: await look.end };
}

const CLOSED = Object.assign(new Error("closed"), { code: "ECONNRESET" });

/**
 * Under TLS 1.3 a server judges a client's certificate only after the client is done. So we end our
 * side: a server that has no objection ends its own, another sends an alert.
 *
 * @returns the alert; undefined where there is none, or none in time
 */
function lastWord(socket: TLSSocket): Promise<unknown> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, LAST_WORD_MS);
    const end = (error?: unknown) => {
      clearTimeout(timer);
      resolve(refusalKind(error) === "alert" ? error : undefined);
    };
    socket.on("error", end);
    socket.once("close", () => end());
    socket.resume();
    socket.end();
  });
}

const LAST_WORD_MS = 500;

/**
 * What the server's Certificate message holds: on both runtimes the links between the certificates
 * follow that message, whoever issued whom. Empty before it was read, and on Deno also after a
 * handshake that failed.
 */
function presentedChain(socket: TLSSocket): Uint8Array[] {
  const chain = new Set<DetailedPeerCertificate>();
  try {
    let next: DetailedPeerCertificate | null | undefined = socket.getPeerCertificate(true);
    // one that is self-signed links to itself where it is the last
    while (next?.raw !== undefined && !chain.has(next) && chain.size < MAX_CHAIN) {
      chain.add(next);
      next = next.issuerCertificate;
    }
  } catch {
    return []; // strangers' certificates, which the runtime also puts into words
  }
  return Array.from(chain, ({ raw }) => new Uint8Array(raw));
}

const MAX_CHAIN = 100;

function refusedError(
  where: string,
  cause: unknown,
  { clientContext }: HostOptions,
): TransportError {
  const kind = refusalKind(cause);
  const alert = alertName(cause);
  const reason = kind === "untrusted"
    ? `this runtime cannot use the server's certificate (${printable(messageOf(cause))})`
    : kind === "alert" && clientContext === undefined
    ? `the server refused with the alert "${alert}"${
      ABOUT_CLIENT.test(alert ?? "") ? "; it may want a certificate: give --cert and --key" : ""
    }`
    : undefined;
  if (reason === undefined) return handshakeError(cause, where);
  return new TransportError("TLS_REFUSED", `no TLS with ${where}: ${reason}`, { cause });
}

/** The alerts by which servers ask for a client's certificate. */
const ABOUT_CLIENT = /certificate|handshake failure|unknown ca|access denied/;

function refusalText(where: string, refusal: unknown, options: HostOptions): string {
  return `${refusedError(where, refusal, options).message} (its certificates were shown before)`;
}

function toBundle(chain: readonly Uint8Array[]): Bundle {
  const certificates: Certificate[] = [];
  const problems: KeylessError[] = [];
  for (const [index, der] of chain.entries()) {
    try {
      certificates.push(parseCertificate(der));
    } catch (cause) {
      if (!(cause instanceof KeylessError)) throw cause;
      const message = `certificate ${index + 1} of the chain: ${cause.message}`;
      problems.push(new KeylessError(cause.code, message, { cause }));
    }
  }
  return { certificates, requests: [], keys: [], problems };
}
