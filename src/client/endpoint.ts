import { isIPv6 } from "node:net";
import { MAX_SOCKET_PATH_BYTES, socketPathBytes } from "../bytes/socket_path.ts";
import { KeylessError } from "../errors/errors.ts";
import { quoted } from "../errors/printable.ts";

/** Where a key server listens. */
export type Endpoint =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

/** The port of the Keyless protocol. */
export const DEFAULT_PORT = 2_407;

/**
 * Reads `host`, `host:port`, `[IPv6]`, `[IPv6]:port` or `unix:/path`.
 *
 * @throws KeylessError "USAGE" for anything else
 */
export function parseEndpoint(text: string, defaultPort = DEFAULT_PORT): Endpoint {
  if (text.startsWith(UNIX_PREFIX)) return unixEndpoint(text);
  const url = URL_START.exec(text);
  if (url !== null) throw unreadable(text, `leave out the scheme and the path: ${url[1]}`);
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(text);
  if (bracketed !== null) {
    const host = bracketed[1]!;
    if (!isIPv6(host)) throw unreadable(text, `${quoted(host)} in the brackets is no IPv6 address`);
    return { kind: "tcp", host, port: readPort(text, bracketed[2], defaultPort) };
  }
  const [host = "", port, ...more] = text.split(":");
  if (more.length > 0) throw unreadable(text, "write an IPv6 address in brackets: [::1]:2407");
  if (!HOST.test(host)) throw unreadable(text, "write host, host:port, [IPv6]:port or unix:/path");
  return { kind: "tcp", host, port: readPort(text, port, defaultPort) };
}

/** @throws KeylessError "USAGE" for a path that is too long for a UNIX socket */
export function checkSocketPath(path: string): void {
  const pathBytes = socketPathBytes(path);
  if (pathBytes <= MAX_SOCKET_PATH_BYTES) return;
  throw new KeylessError(
    "USAGE",
    `the path ${quoted(path)} has ${pathBytes} bytes; ` +
      `that of a UNIX socket has at most ${MAX_SOCKET_PATH_BYTES}`,
  );
}

/** @throws KeylessError "USAGE" for what is no port */
export function checkPort(port: number): void {
  if (Number.isInteger(port) && port >= 1 && port <= MAX_PORT) return;
  throw new KeylessError("USAGE", `the port is a number from 1 to ${MAX_PORT}, not ${port}`);
}

/** An endpoint as `parseEndpoint` reads it, with its port. */
export function endpointText(endpoint: Endpoint): string {
  if (endpoint.kind === "unix") return `${UNIX_PREFIX}${endpoint.path}`;
  const host = endpoint.host.includes(":") ? `[${endpoint.host}]` : endpoint.host;
  return `${host}:${endpoint.port}`;
}

const UNIX_PREFIX = "unix:";
const HOST = /^[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,253})$/;
// deno-lint-ignore no-control-regex
const SOCKET_PATH = /^[^\u0000-\u001f\u007f]+$/;
const MAX_PORT = 65_535;
/** Of a URL: the host and its port. */
const URL_START = /^[a-z][a-z0-9+.-]*:\/\/(?:[^/@]*@)?([a-z0-9._:[\]-]+)/i;

function unixEndpoint(text: string): Endpoint {
  const path = text.slice(UNIX_PREFIX.length);
  if (!SOCKET_PATH.test(path)) throw unreadable(text, "write unix:/path/of/the.sock");
  checkSocketPath(path);
  return { kind: "unix", path };
}

function readPort(text: string, digits: string | undefined, defaultPort: number): number {
  if (digits === undefined) return defaultPort;
  const port = /^[0-9]{1,5}$/.test(digits) ? Number(digits) : 0;
  if (port < 1 || port > MAX_PORT) {
    throw unreadable(text, `the port is a number from 1 to ${MAX_PORT}`);
  }
  return port;
}

function unreadable(text: string, mend: string): KeylessError {
  return new KeylessError("USAGE", `${quoted(text)} names no server: ${mend}`);
}
