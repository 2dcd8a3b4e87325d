import { Buffer } from "node:buffer";
import type { IncomingHttpHeaders } from "node:http";

/** One path of an HTTP port. */
export interface Route {
  /** Exactly as it is asked for, without a query; also the label `uri` of its metrics. */
  readonly path: string;
  /** GET serves HEAD as well. */
  readonly method: "GET" | "POST";
  reply(request: HttpRequest): HttpReply | Promise<HttpReply>;
}

export interface HttpRequest {
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly peer: HttpPeer;
}

/** What is known of who asks. */
export interface HttpPeer {
  /** Its address and port, or the socket's path. */
  readonly address: string;
  /** The port can be reached from this machine alone. */
  readonly isLocal: boolean;
  /** Why it has not proved to be a client of the authority; undefined where it has. */
  readonly unproved: string | undefined;
}

export interface HttpReply {
  readonly status: number;
  readonly type: string;
  readonly body: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  /** Called once the reply has left, or cannot leave any more. */
  readonly sent?: () => void;
}

/** A reply of one line for a person. */
export function textReply(
  status: number,
  text: string,
  more: Pick<HttpReply, "headers" | "sent"> = {},
): HttpReply {
  return { status, type: TEXT, body: Buffer.from(`${text}\n`), ...more };
}

export function jsonReply(status: number, value: unknown): HttpReply {
  const type = "application/json; charset=utf-8";
  return { status, type, body: Buffer.from(`${JSON.stringify(value, undefined, 2)}\n`) };
}

const TEXT = "text/plain; charset=utf-8";
