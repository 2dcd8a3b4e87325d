import type { TLSSocket } from "node:tls";

/**
 * Why a client has not proved itself with a certificate of the authority; undefined where it has.
 *
 * @param socket of a server that asks for certificates and lets clients in without one
 */
export function whyUnproved(socket: TLSSocket): string | undefined {
  // a session is resumed without the certificate, on Deno whatever it is told
  if (socket.isSessionReused()) return "the TLS session was resumed; connect with a new one";
  if (socket.authorized) return undefined;
  const { raw } = socket.getPeerCertificate() ?? {};
  if (raw === undefined) return "no certificate was shown";
  return `the certificate was not accepted (${socket.authorizationError ?? "for no known reason"})`;
}
