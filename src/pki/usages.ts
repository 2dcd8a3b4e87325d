import { x509 } from "./x509.ts";

/**
 * Whether a certificate may be shown by a TLS client: it says so, or does not say what it is for
 * (RFC 5280 4.2.1.12).
 *
 * @param der a certificate that was parsed before
 */
export function mayAuthenticateClients(der: Uint8Array): boolean {
  return allows(der, x509.ExtendedKeyUsage.clientAuth);
}

/** Whether a certificate may be shown by a TLS server; else as `mayAuthenticateClients`. */
export function mayAuthenticateServers(der: Uint8Array): boolean {
  return allows(der, x509.ExtendedKeyUsage.serverAuth);
}

const ANY_USAGE = "2.5.29.37.0";

function allows(der: Uint8Array, usage: string): boolean {
  const certificate = new x509.X509Certificate(new Uint8Array(der));
  const usages = certificate.getExtension(x509.ExtendedKeyUsageExtension)?.usages.map(String);
  return usages === undefined || usages.includes(usage) || usages.includes(ANY_USAGE);
}
