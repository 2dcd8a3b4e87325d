import { type IncomingMessage, STATUS_CODES } from "node:http";
import { messageOf } from "../errors/errors.ts";
import type { Log } from "../telemetry/log.ts";
import { type HttpPeer, type HttpReply, type Route, textReply } from "./route.ts";

/** What an HTTP port serves. */
export interface Site {
  readonly routes: readonly Route[];
  /** What is said of any other path. */
  readonly notFound: (path: string) => string;
  readonly log: Log;
}

export interface Answer {
  /** The route's path, or `UNKNOWN_ROUTE`. */
  readonly route: string;
  readonly reply: HttpReply;
}

/** The answer to a request; a defect is logged, and is an answer too. */
export async function answer(
  request: IncomingMessage,
  peer: HttpPeer,
  { routes, notFound, log }: Site,
): Promise<Answer> {
  const { headers, headersDistinct, httpVersion, url = "" } = request;
  const [path = "", query] = url.split("?", 2);
  const found = routes.filter((each) => each.path === path);
  const method = request.method === "HEAD" ? "GET" : request.method;
  const chosen = found.find((each) => each.method === method);
  const route = found[0]?.path ?? UNKNOWN_ROUTE;
  const hosts = headersDistinct["host"] ?? [];
  if (hosts.length > 1 || (hosts.length === 0 && httpVersion !== "1.0")) { // RFC 9112, 3.2
    return { route, reply: textReply(400, "the header Host must stand once") };
  }
  if (found.length === 0) return { route, reply: textReply(404, notFound(path)) };
  if (chosen === undefined) return { route, reply: notAllowed(found) };
  try {
    return {
      route,
      reply: await chosen.reply({ headers, peer, query: new URLSearchParams(query) }),
    };
  } catch (thrown) {
    log.error({ event: "http_failed", route, reason: messageOf(thrown) }, "request not answered");
    return { route, reply: textReply(500, "this request met a defect; the log has more") };
  }
}

/** The header of a reply. */
export function headersOf({ type, body, headers }: HttpReply): Record<string, string | number> {
  return {
    ...SAFE_HEADERS,
    "Content-Type": type,
    "Content-Length": body.length,
    Connection: "close",
    ...headers,
  };
}

/** The whole answer to bytes that cannot be read as a request. */
export function refusal(status: 400 | 431): string {
  const headers = { ...SAFE_HEADERS, "Content-Length": 0, Connection: "close" };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join("")}\r\n`;
}

/** The label `uri` of what is no route. */
export const UNKNOWN_ROUTE = "UNKNOWN";

function notAllowed(routes: readonly Route[]): HttpReply {
  const allow = routes.map(({ method }) => method === "GET" ? "GET, HEAD" : method).join(", ");
  return textReply(405, `served here: ${allow}`, { headers: { Allow: allow } });
}

const SAFE_HEADERS = { "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store" };
