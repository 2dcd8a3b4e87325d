import { UNEXPLAINED_END } from "../runtime/socket.ts";
import type { RefusedOutcome } from "../telemetry/server_metrics.ts";

/** How a handshake failed. */
export interface Refusal {
  readonly outcome: RefusedOutcome;
  /** For the operator. */
  readonly reason: string;
}

/** What an error of a handshake means. */
export function refusalOf(error: Error): Refusal {
  const code = "code" in error && typeof error.code === "string" ? error.code : error.message;
  const known = REFUSALS[code];
  if (known !== undefined) return { outcome: known[0], reason: known[1] };
  return code.startsWith("ERR_SSL_")
    ? { outcome: "protocol", reason: `it broke the TLS protocol (${code})` }
    : { outcome: "other", reason: error.message };
}

/**
 * What the runtimes' codes mean (for a timeout Deno has a message only); what is not here is told
 * as the runtime tells it.
 */
const REFUSALS: Readonly<Record<string, readonly [RefusedOutcome, string]>> = {
  CERT_HAS_EXPIRED: ["bad_certificate", "its certificate has expired"],
  CERT_NOT_YET_VALID: ["bad_certificate", "its certificate is not yet valid"],
  DEPTH_ZERO_SELF_SIGNED_CERT: [
    "bad_certificate",
    "its certificate is of another authority (self-signed)",
  ],
  ECONNRESET: ["left", `it left in the handshake: ${UNEXPLAINED_END}`],
  ERR_SSL_HTTP_REQUEST: ["protocol", "it spoke plain HTTP; this is a TLS port"],
  ERR_SSL_NO_SHARED_CIPHER: ["protocol", "it has no cipher suite in common with this server"],
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: ["no_certificate", "it sent no client certificate"],
  ERR_SSL_UNSUPPORTED_PROTOCOL: ["protocol", "it speaks neither TLS 1.2 nor TLS 1.3"],
  ERR_SSL_WRONG_VERSION_NUMBER: ["protocol", "it spoke no TLS; this is a TLS port"],
  ERR_TLS_HANDSHAKE_TIMEOUT: ["timeout", "its handshake took too long"],
  INVALID_PURPOSE: [
    "bad_certificate",
    "its certificate is not made for clients (extended key usage)",
  ],
  SELF_SIGNED_CERT_IN_CHAIN: ["bad_certificate", "its certificate is of another authority"],
  "TLS handshake timeout": ["timeout", "its handshake took too long"],
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: ["bad_certificate", "its certificate is of another authority"],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: ["bad_certificate", "its certificate is of another authority"],
};
