import { KeylessError } from "../errors/errors.ts";
import type { KeyQuery } from "../keystore/keystore.ts";
import {
  OP_PING,
  opcodeOfScheme,
  type OpcodeScheme,
  type SignOpcodeScheme,
} from "../protocol/opcodes.ts";
import type { Operation } from "../protocol/operation.ts";
import { type Call, type Carrier, type RequestOptions, startCall } from "./call.ts";
import {
  Connection,
  type ConnectionLimits,
  DEFAULT_MAX_OUTSTANDING,
  DEFAULT_MAX_WAITING,
  queueFull,
} from "./connection.ts";
import { type CredentialPems, type Credentials, readCredentials } from "./credentials.ts";
import { Deadlines } from "./deadlines.ts";
import {
  checkPort,
  checkSocketPath,
  DEFAULT_PORT,
  type Endpoint,
  endpointText,
} from "./endpoint.ts";
import { TransportError } from "./errors.ts";
import { checkLimit, checkTimeout } from "./limits.ts";

/** Where the server is, either `host` or `socketPath`, and what a client needs besides. */
export interface ClientOptions extends CredentialPems, ConnectionLimits {
  readonly host?: string | undefined;
  /** Default 2,407. */
  readonly port?: number | undefined;
  /** A UNIX socket. */
  readonly socketPath?: string | undefined;
  /**
   * The name that the server's certificate must be for: a DNS name or an IP address. Default: the
   * host; "localhost" for a UNIX socket.
   */
  readonly serverName?: string | undefined;
  /** Milliseconds, above 0, that a request may take, second attempt included. Default 10,000. */
  readonly timeoutMs?: number | undefined;
  /** Milliseconds, above 0, for resolving, connecting and the handshake. Default 5,000. */
  readonly connectTimeoutMs?: number | undefined;
}

/**
 * A client of a key server: connects when it is first used, sends all requests over one connection,
 * and connects again with the next request after the connection was lost.
 *
 * The bytes of a request are copied before its method returns: the caller may overwrite them.
 * Every request is tried a second time after a transport error, and never after the server's answer.
 * Requests reject with
 *
 * - ServerError "SERVER_ERROR", with the code of the wire in `wireCode`;
 * - TransportError "RESOLVE", "CONNECT", "TLS_REFUSED", "CONNECTION_LOST", "REPLY_BROKEN";
 * - KeylessError "DEADLINE", "ABORTED" (by the signal, or `close`), "QUEUE_FULL";
 * - KeylessError "USAGE" for a scheme or a timeout that is none;
 * - FormatError "TOO_LONG", "ITEM_LENGTH" for a request that no packet can carry.
 *
 * @example
 * ```ts
 * import { readFileSync } from "node:fs";
 * import { createHash } from "node:crypto";
 * import { KeylessClient } from "keyless";
 *
 * const client = new KeylessClient({
 *   host: "keys.example.net",
 *   certificate: readFileSync("client.pem"),
 *   key: readFileSync("client-key.pem"),
 *   ca: readFileSync("ca.pem"),
 * });
 * const digest = createHash("sha256").update("what is to be signed").digest();
 * const signature = await client.sign({ ski }, "ecdsa-sha256", digest, { timeoutMs: 500 });
 * client.close();
 * ```
 */
export class KeylessClient {
  readonly #endpoint: Endpoint;
  readonly #credentials: Credentials;
  readonly #serverName: string | undefined;
  readonly #timeoutMs: number;
  readonly #connectTimeoutMs: number;
  readonly #maxOutstanding: number;
  readonly #maxWaiting: number;
  readonly #deadlines = new Deadlines();
  readonly #setting: Parameters<typeof startCall>[1];
  readonly #waiting = new Set<Call>();
  readonly #carrier: Carrier = { giveUp: (call) => void this.#waiting.delete(call) };
  #opening: AbortController | undefined;
  #connection: Connection | undefined;
  #closed = false;

  /**
   * @throws KeylessError "USAGE" without a server, or with a port, a socket's path, a time or a
   *   limit that is none; for credentials as `readCredentials`
   */
  constructor(options: ClientOptions) {
    this.#endpoint = endpointOf(options);
    this.#serverName = options.serverName;
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.#connectTimeoutMs = options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS;
    this.#maxOutstanding = options.maxOutstanding ?? DEFAULT_MAX_OUTSTANDING;
    this.#maxWaiting = options.maxWaiting ?? DEFAULT_MAX_WAITING;
    checkTimeout("timeoutMs", this.#timeoutMs);
    checkTimeout("connectTimeoutMs", this.#connectTimeoutMs);
    checkLimit("maxOutstanding", this.#maxOutstanding);
    checkLimit("maxWaiting", this.#maxWaiting);
    this.#credentials = readCredentials(options);
    this.#setting = {
      server: endpointText(this.#endpoint),
      deadlines: this.#deadlines,
      attempts: ATTEMPTS,
      carry: (call) => this.#carry(call),
    };
  }

  /**
   * Asks the server to answer the payload.
   *
   * @returns the payload as the server gave it back, in a buffer of the caller's own
   * @throws as the class says; "REPLY_BROKEN" where the answer holds another payload
   */
  ping(payload: Uint8Array = NO_BYTES, options: RequestOptions = {}): Promise<Uint8Array> {
    return this.#start({ opcode: OP_PING, payload }, options, (reply, sent) => {
      const answer = copyOf(reply.payload ?? NO_BYTES);
      if (areEqual(answer, sent.payload!)) return answer;
      throw this.#broken("answered a ping with another payload");
    });
  }

  /**
   * Signs a digest that is already computed (Ed25519: the message itself).
   *
   * @returns RSA: as long as the modulus; ECDSA: DER; Ed25519: 64 bytes. The caller's own
   * @throws as the class says
   */
  sign(
    key: KeyQuery,
    scheme: SignOpcodeScheme,
    digest: Uint8Array,
    options: RequestOptions = {},
  ): Promise<Uint8Array> {
    return this.#useKey(key, scheme, digest, options);
  }

  /**
   * The raw RSA private-key operation on a block as long as the modulus.
   *
   * @returns the whole padded block, the caller's own. Removing the padding, in constant time, is
   *   the caller's part
   * @throws as the class says
   */
  decrypt(key: KeyQuery, block: Uint8Array, options: RequestOptions = {}): Promise<Uint8Array> {
    return this.#useKey(key, "rsa-decrypt", block, options);
  }

  /**
   * Any request, and its answer as it came; byte values are views of what was received.
   *
   * @throws as the class says
   */
  request(operation: Operation, options: RequestOptions = {}): Promise<Operation> {
    return this.#start(operation, options, (reply) => reply);
  }

  /** Closes the connection for good. Requests under way, and later ones, fail with "ABORTED". */
  close(): void {
    this.#closed = true;
    this.#opening?.abort();
    this.#connection?.close();
  }

  async #useKey(
    key: KeyQuery,
    scheme: OpcodeScheme,
    payload: Uint8Array,
    options: RequestOptions,
  ): Promise<Uint8Array> {
    const operation = { ...key, opcode: opcodeOfScheme(scheme).code, payload };
    return await this.#start(operation, options, (reply) => {
      if (reply.payload !== undefined) return copyOf(reply.payload);
      throw this.#broken("answered without a result");
    });
  }

  #start<T>(
    operation: Operation,
    options: RequestOptions,
    read: (reply: Operation, sent: Operation) => T,
  ): Promise<T> {
    const timeoutMs = options.timeoutMs ?? this.#timeoutMs;
    return startCall(operation, this.#setting, timeoutMs, options.signal, read);
  }

  #carry(call: Call): void {
    if (this.#closed) return call.failed(this.#closedError());
    if (this.#connection !== undefined) return this.#connection.submit(call);
    if (this.#waiting.size >= this.#maxWaiting) return call.failed(queueFull(this.#maxWaiting));
    call.carrier = this.#carrier;
    this.#waiting.add(call);
    if (this.#opening === undefined) this.#open();
  }

  /** One attempt to connect, for all requests that wait. */
  async #open(): Promise<void> {
    const opening = this.#opening = new AbortController();
    let carryOn: (call: Call) => void;
    try {
      const connection = await Connection.open({
        endpoint: this.#endpoint,
        credentials: this.#credentials,
        serverName: this.#serverName,
        timeoutMs: this.#connectTimeoutMs,
        maxOutstanding: this.#maxOutstanding,
        maxWaiting: this.#maxWaiting,
        signal: opening.signal,
        onClose: () => this.#connection = undefined,
      });
      if (this.#closed) connection.close();
      else if (connection.isOpen) this.#connection = connection;
      carryOn = (call) => connection.submit(call);
    } catch (error) {
      const failure = this.#closed ? this.#closedError() : error as KeylessError;
      carryOn = (call) => call.failed(failure);
    }
    this.#opening = undefined;
    const calls = [...this.#waiting];
    this.#waiting.clear();
    calls.forEach(carryOn);
  }

  #broken(what: string): TransportError {
    return new TransportError("REPLY_BROKEN", `${this.#setting.server} ${what}`);
  }

  #closedError(): KeylessError {
    return new KeylessError("ABORTED", `the client of ${this.#setting.server} is closed`);
  }
}

export const DEFAULT_TIMEOUT_MS = 10_000;
export const DEFAULT_CONNECT_TIMEOUT_MS = 5_000;
const ATTEMPTS = 2;
const NO_BYTES = new Uint8Array(0);

function endpointOf({ host, port = DEFAULT_PORT, socketPath }: ClientOptions): Endpoint {
  checkPort(port);
  if (socketPath !== undefined && host === undefined) {
    checkSocketPath(socketPath);
    return { kind: "unix", path: socketPath };
  }
  if (host !== undefined && socketPath === undefined) {
    return { kind: "tcp", host, port };
  }
  throw new KeylessError("USAGE", "a client needs a server: give either host or socketPath");
}

/** A view would keep all that was received with it alive. */
function copyOf(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

function areEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
