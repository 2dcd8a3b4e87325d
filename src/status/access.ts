import { isIP } from "node:net";
import type { HttpRequest } from "./route.ts";

/**
 * Why a request for what only an operator may do is refused: profiles, and stopping the server.
 *
 * - A web page must not make a browser ask: requests with an Origin are refused, those that the
 *   browser itself calls another origin's, and those with a foreign Host, whose name may have been
 *   led here (DNS rebinding).
 * - Where the port can be reached from other machines, the peer has to prove itself with a
 *   certificate of the client authority.
 *
 * @param hostNames what this server is called, wildcards of its certificate included; besides them,
 *   IP addresses and localhost are its own
 * @returns undefined where the request may pass
 */
export function whyRefused(
  { headers, peer }: HttpRequest,
  hostNames: readonly string[],
): string | undefined {
  if (headers.origin !== undefined) return "it has an Origin: web pages may not ask for this";
  const { "sec-fetch-site": site = "none" } = headers;
  if (site !== "none" && site !== "same-origin") return "another site's web page asks for this";
  if (!isOwnHost(headers.host ?? "", hostNames)) {
    return "its Host is no IP address and no name of this server; ask by one of them";
  }
  if (peer.isLocal || peer.unproved === undefined) return undefined;
  return `beyond loopback a client certificate that cloudflare_ca_cert has signed is needed: ${peer.unproved}`;
}

/** Whether a Host header names this server. */
export function isOwnHost(host: string, hostNames: readonly string[]): boolean {
  const found = HOST.exec(host)?.groups;
  if (found === undefined) return false;
  const { bracketed, plain = "" } = found;
  if (bracketed !== undefined) return isIP(bracketed) === 6;
  if (isIP(plain) === 4) return true;
  const name = plain.toLowerCase();
  return name === "localhost" || hostNames.some((own) => matches(name, own.toLowerCase()));
}

/** A wildcard stands for one label, the first (RFC 6125, 6.4.3). */
function matches(name: string, own: string): boolean {
  if (!own.startsWith("*.")) return name === own;
  return name.slice(name.indexOf(".")) === own.slice(1) && name.indexOf(".") > 0;
}

const HOST = /^(?:\[(?<bracketed>[0-9a-f:.]+)\]|(?<plain>[a-z0-9._-]+?)\.?)(?::\d{1,5})?$/i;
