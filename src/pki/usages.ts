import { KeylessError } from "../errors/errors.ts";
import { describeCertificate } from "./certificate_details.ts";
import { parseCertificate } from "./certificates.ts";
import { mayBeFor } from "./flaws.ts";

/**
 * Whether a certificate may be shown by a TLS client, as `mayBeFor` has it; true as well of one that
 * cannot be read, of which nothing is known.
 *
 * @param der a certificate that some TLS library has accepted
 */
export function mayAuthenticateClients(der: Uint8Array): boolean {
  return allows(der, "clientAuth");
}

/** Whether a certificate may be shown by a TLS server; else as `mayAuthenticateClients`. */
export function mayAuthenticateServers(der: Uint8Array): boolean {
  return allows(der, "serverAuth");
}

function allows(der: Uint8Array, usage: "serverAuth" | "clientAuth"): boolean {
  try {
    return mayBeFor(usage, describeCertificate(parseCertificate(der)));
  } catch (error) {
    if (error instanceof KeylessError) return true;
    throw error;
  }
}
