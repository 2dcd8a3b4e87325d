import { isIPv6 } from "node:net";

/** An address with its port. */
export interface HostPort {
  /** A name or an IP address, an IPv6 one without brackets. */
  readonly host: string;
  /** From 1. */
  readonly port: number;
}

/** Reads `HOST:PORT` or `[IPv6]:PORT`; undefined where a text is neither. */
export function parseHostPort(text: string): HostPort | undefined {
  const { name, ipv6, digits } = HOST_AND_PORT.exec(text)?.groups ?? {};
  const host = name ?? ipv6;
  const port = Number(digits);
  if (host === undefined || (ipv6 !== undefined && !isIPv6(ipv6))) return undefined;
  return port >= 1 && port <= 65_535 ? { host, port } : undefined;
}

const HOST_AND_PORT =
  /^(?:(?<name>[a-z0-9_][a-z0-9._-]{0,252})|\[(?<ipv6>[0-9a-f:.%]+)\]):(?<digits>\d{1,5})$/i;
