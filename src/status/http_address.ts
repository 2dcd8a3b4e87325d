import { BlockList, isIP } from "node:net";
import { isAbsolute } from "node:path";
import { MAX_SOCKET_PATH_BYTES, socketPathBytes } from "../bytes/socket_path.ts";

/** Where HTTP is served: a TCP port (0: the system chooses) of a host ("": all), or a UNIX socket. */
export type HttpAddress =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number; readonly tls: boolean }
  | { readonly kind: "unix"; readonly path: string };

/**
 * Reads the address of the status port: `HOST:PORT` or `https://HOST:PORT` for HTTPS,
 * `http://HOST:PORT`, `unix:PATH` or an absolute path. An IPv6 address stands in brackets; without a
 * host it is all addresses.
 *
 * @returns undefined for any other text
 */
export function parseHttpAddress(text: string): HttpAddress | undefined {
  const path = text.startsWith(UNIX_PREFIX) ? text.slice(UNIX_PREFIX.length) : text;
  if (path !== text || isAbsolute(text)) {
    return SOCKET_PATH.test(path) && socketPathBytes(path) <= MAX_SOCKET_PATH_BYTES
      ? { kind: "unix", path }
      : undefined;
  }
  const found = TCP.exec(text)?.groups;
  if (found === undefined) return undefined;
  const { scheme, bracketed, name = "", port = "" } = found;
  if (bracketed !== undefined && isIP(bracketed) !== 6) return undefined;
  if (bracketed === undefined && ALL_DIGITS.test(name) && isIP(name) !== 4) return undefined;
  if (Number(port) > MAX_PORT) return undefined;
  return {
    kind: "tcp",
    host: bracketed ?? name,
    port: Number(port),
    tls: scheme?.toLowerCase() !== "http",
  };
}

/** What `parseHttpAddress` accepts, to follow the word "give". */
export const HTTP_ADDRESS_FORMS =
  "HOST:PORT for HTTPS, http://HOST:PORT, or unix:PATH of at most " +
  `${MAX_SOCKET_PATH_BYTES} bytes`;

/** Whether an address that is listened on can be reached from this machine alone. */
export function isLoopback(host: string): boolean {
  const family = isIP(host);
  if (family === 0) return host.toLowerCase() === "localhost";
  return LOOPBACK.check(host, family === 4 ? "ipv4" : "ipv6");
}

const UNIX_PREFIX = "unix:";
// deno-lint-ignore no-control-regex
const SOCKET_PATH = /^[^\u0000-\u001f\u007f]+$/;
const TCP =
  /^(?:(?<scheme>https?):\/\/)?(?:\[(?<bracketed>[^\]]*)\]|(?<name>[a-z0-9_][a-z0-9._-]{0,253})?):(?<port>\d{1,5})$/i;
/** What can only be meant for an IPv4 address. */
const ALL_DIGITS = /^[\d.]+$/;
const MAX_PORT = 65_535;

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");
