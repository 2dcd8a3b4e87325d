import type { TLSSocket } from "node:tls";
import type { ClientIdentity } from "../keystore/keystore.ts";
import { printable } from "../errors/printable.ts";

/** Who stands behind an established connection, by the certificate that the handshake checked. */
export function clientIdentity(socket: TLSSocket, address: string): ClientIdentity {
  const certificate = socket.getPeerCertificate();
  const commonName: string | string[] | undefined = certificate?.subject?.CN;
  const name = (Array.isArray(commonName) ? commonName[0] : commonName) ||
    certificate?.subjectaltname?.split(", ")[0]?.replace(/^DNS:/, "") ||
    `serial ${certificate?.serialNumber ?? "unknown"}`;
  return { name: printable(name, MAX_NAME_LENGTH), address };
}

/** Address and port of a TCP peer; for a UNIX socket its path. */
export function peerAddress(
  socket: { readonly remoteAddress?: string | undefined; readonly remotePort?: number | undefined },
  socketPath: string | undefined,
): string {
  if (socketPath !== undefined) return `unix:${socketPath}`;
  const host = socket.remoteAddress ?? "unknown";
  const plain = host.startsWith("::ffff:") && host.includes(".") ? host.slice(7) : host;
  return `${plain.includes(":") ? `[${plain}]` : plain}:${socket.remotePort ?? 0}`;
}

const MAX_NAME_LENGTH = 256;
