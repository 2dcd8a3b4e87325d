import { randomUUID } from "node:crypto";
import { toHex } from "../bytes/hex.ts";
import { WIRE_ERRORS, type WireError } from "../protocol/errors.ts";
import { formatIp } from "../protocol/ip.ts";
import { opcodeName } from "../protocol/opcodes.ts";
import type { Operation } from "../protocol/operation.ts";
import { requestIdOf } from "../protocol/request_context.ts";
import { type HeldBack, LineLimiter } from "./line_limiter.ts";
import type { Log } from "./log.ts";
import { printable } from "../errors/printable.ts";

/** A client as the log names it. */
export interface LoggedClient {
  readonly name: string;
  readonly address: string;
}

/** How a request ended. */
export interface LoggedAnswer {
  readonly error: WireError;
  readonly reason: string | undefined;
  /** Why the request was given up though nothing is wrong with it, in a word. */
  readonly shed?: string | undefined;
}

/**
 * The server's lines: a refused client, a failed connection, a failed request; each request at the
 * level "debug" alone. Lines that a client can cause at will are summed up per client every 10 s.
 */
export class ServerLog {
  readonly #log: Log;
  readonly #debug: boolean;
  readonly #strangers: LineLimiter;
  readonly #clients: LineLimiter;

  constructor(log: Log, options: { readonly debug?: boolean; readonly windowMs?: number } = {}) {
    this.#log = log;
    this.#debug = options.debug ?? false;
    const windowMs = options.windowMs ?? WINDOW_MS;
    const report = ({ kind, client, reason, count }: HeldBack) =>
      log.warn({ event: kind, client, reason, count }, `${count} more like this from ${client}`);
    this.#strangers = new LineLimiter({ burst: 1, windowMs, maxSources: MAX_SOURCES, report });
    this.#clients = new LineLimiter({ burst: 10, windowMs, maxSources: MAX_SOURCES, report });
  }

  /** A peer that did not get through the handshake, or was not let in. */
  refused(address: string, reason: string): void {
    const client = address.replace(/:\d+$/, ""); // a stranger has many ports
    if (!this.#strangers.admits({ kind: "refused", client, reason })) return;
    this.#log.warn({ event: "refused", address, reason: printable(reason) }, "client refused");
  }

  /** The system could not hand a connection over: too many open files, for one. */
  acceptFailed(reason: string): void {
    if (!this.#strangers.admits({ kind: "accept_failed", client: "the system", reason })) return;
    this.#log.error({ event: "accept_failed", reason }, "connections cannot be accepted");
  }

  connected(client: LoggedClient, tlsVersion: string): void {
    if (!this.#debug) return;
    this.#log.debug({ event: "connected", ...named(client), tls: tlsVersion }, "client connected");
  }

  /** An established connection that ended in a failure of the transport or the protocol. */
  connectionFailed(client: LoggedClient, reason: string): void {
    const event = "connection_failed";
    if (!this.#clients.admits({ kind: event, client: client.name, reason: "" })) return;
    const fields = { event, ...named(client), reason: printable(reason) };
    this.#log.warn(fields, "connection failed");
  }

  /** Every request comes by here; a successful one costs nothing unless the level is "debug". */
  request(client: LoggedClient, id: number, operation: Operation, answer: LoggedAnswer): void {
    const failed = answer.error !== WIRE_ERRORS.NONE;
    if (!failed && !this.#debug) return;
    const event = failed ? "request_failed" : "request";
    const source = { kind: event, client: client.name, reason: reasonOf(answer) };
    if (failed && !this.#clients.admits(source)) return;
    const fields = {
      event,
      ...named(client),
      id,
      ...described(operation),
      ...(failed ? failure(answer) : {}),
    };
    if (failed) this.#log.warn(fields, "request failed");
    else this.#log.debug(fields, "request");
  }

  /** Writes the sums that wait for the end of their window. */
  flush(): void {
    this.#strangers.flush();
    this.#clients.flush();
  }
}

const WINDOW_MS = 10_000;
const MAX_SOURCES = 256;

function failure({ error, shed, reason = "" }: LoggedAnswer): object {
  return {
    error: error.text,
    ...(shed === undefined ? {} : { shed }),
    reason: printable(reason),
  };
}

/** Lines are summed up by it: of few words, and a defect apart from what is too much. */
function reasonOf({ error, shed }: LoggedAnswer): string {
  return shed === undefined ? error.text : `${error.text}: shed (${shed})`;
}

function named(client: LoggedClient): object {
  return { client: client.name, address: client.address };
}

function described(operation: Operation): object {
  const { opcode, ski, serverName, serverIp, certificateId } = operation;
  return {
    opcode: opcode === undefined ? undefined : opcodeName(opcode),
    ski: ski === undefined ? undefined : toHex(ski.subarray(0, MAX_SKI_BYTES)),
    sni: serverName === undefined ? undefined : printable(serverName, MAX_NAME_LENGTH),
    serverIp: serverIp === undefined ? undefined : formatIp(serverIp),
    certificateId: certificateId === undefined
      ? undefined
      : printable(certificateId, MAX_NAME_LENGTH),
    requestId: printable(requestIdOf(operation.context) ?? randomUUID(), MAX_NAME_LENGTH),
  };
}

/** A SKI has 20 bytes; a wrong one is shown to a little more, and not to 65,535. */
const MAX_SKI_BYTES = 32;
const MAX_NAME_LENGTH = 256;
