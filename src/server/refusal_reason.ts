import { UNEXPLAINED_END } from "../runtime/socket.ts";

/** Why a handshake failed, for the operator. */
export function refusalReason(error: Error): string {
  const code = "code" in error && typeof error.code === "string" ? error.code : error.message;
  if (code in REFUSALS) return REFUSALS[code]!;
  return code.startsWith("ERR_SSL_") ? `it broke the TLS protocol (${code})` : error.message;
}

/**
 * What the runtimes' codes mean (for a timeout Deno has a message only); what is not here is told
 * as the runtime tells it.
 */
const REFUSALS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "its certificate has expired",
  CERT_NOT_YET_VALID: "its certificate is not yet valid",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is of another authority (self-signed)",
  ECONNRESET: `it left in the handshake: ${UNEXPLAINED_END}`,
  ERR_SSL_HTTP_REQUEST: "it spoke plain HTTP; this is a TLS port",
  ERR_SSL_NO_SHARED_CIPHER: "it has no cipher suite in common with this server",
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: "it sent no client certificate",
  ERR_SSL_UNSUPPORTED_PROTOCOL: "it speaks neither TLS 1.2 nor TLS 1.3",
  ERR_SSL_WRONG_VERSION_NUMBER: "it spoke no TLS; this is a TLS port",
  ERR_TLS_HANDSHAKE_TIMEOUT: "its handshake took too long",
  INVALID_PURPOSE: "its certificate is not made for clients (extended key usage)",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate is of another authority",
  "TLS handshake timeout": "its handshake took too long",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its certificate is of another authority",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate is of another authority",
};
