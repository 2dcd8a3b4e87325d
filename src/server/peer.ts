import type { DetailedPeerCertificate, PeerCertificate } from "node:tls";
import type { ClientIdentity } from "../keystore/keystore.ts";
import { printable } from "../errors/printable.ts";

/** Who stands behind an established connection, by the certificate that the handshake checked. */
export function clientIdentity(certificate: PeerCertificate, address: string): ClientIdentity {
  const commonName: string | string[] | undefined = certificate?.subject?.CN;
  const name = (Array.isArray(commonName) ? commonName[0] : commonName) ||
    certificate?.subjectaltname?.split(", ")[0]?.replace(/^DNS:/, "") ||
    `serial ${certificate?.serialNumber ?? "unknown"}`;
  return { name: printable(name, MAX_NAME_LENGTH), address };
}

/**
 * The certificates behind an established connection: the client's own, and what the runtime
 * completed its chain with. DER.
 *
 * @param own of `getPeerCertificate(true)`
 */
export function peerCertificates(own: DetailedPeerCertificate): Uint8Array[] {
  const found: Uint8Array[] = [];
  let certificate: DetailedPeerCertificate | undefined = own;
  while (certificate?.raw !== undefined && found.length < MAX_CHAIN_LENGTH) {
    found.push(certificate.raw);
    const { issuerCertificate: issuer }: DetailedPeerCertificate = certificate;
    certificate = issuer === certificate ? undefined : issuer; // a root is its own issuer
  }
  return found;
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
const MAX_CHAIN_LENGTH = 10;
