import { messageOf } from "../errors/errors.ts";
import { printable } from "../errors/printable.ts";
import { systemCode } from "../errors/system.ts";
import { TransportError } from "./errors.ts";

/** Who refused whom, as far as the runtime's error tells. */
export type RefusalKind =
  /** We do not trust the server's certificate. */
  | "untrusted"
  /** The server's certificate is for other names. */
  | "name"
  /** The server sent an alert: most often it does not accept our certificate. */
  | "alert"
  /** The server closed the connection in the middle of the handshake. */
  | "closed"
  /** What answers is not TLS. */
  | "not-tls"
  | "other";

/** Sorts the error of a failed handshake; the runtimes' codes differ, and are known here alone. */
export function refusalKind(thrown: unknown): RefusalKind {
  const code = systemCode(thrown) ?? "";
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") return "name";
  if (code.includes("ALERT")) return "alert";
  if (CLOSED_CODES.has(code)) return "closed";
  if (code.includes("WRONG_VERSION_NUMBER")) return "not-tls";
  if (VERIFY_CODES.test(code)) return "untrusted";
  return "other";
}

/** The error of a handshake that failed: what stood in the way, and what to do. */
export function handshakeError(thrown: unknown, server: string, name = server): TransportError {
  const reason = REASONS[refusalKind(thrown)](thrown, name);
  return new TransportError("TLS_REFUSED", `no TLS with ${server}: ${reason}`, { cause: thrown });
}

/** The alert's name in words ("unknown ca"), or undefined where the error is no alert. */
export function alertName(thrown: unknown): string | undefined {
  const name = /ALERT_(.+)$/.exec(systemCode(thrown) ?? "")?.[1];
  return name?.toLowerCase().replaceAll("_", " ");
}

/**
 * The names that a certificate is for, as the runtime lists them ("DNS:keys.example, IP
 * Address:10.0.0.1"); empty where it has none but its common name.
 */
export function certificateNames(thrown: unknown): string {
  const names = certificateOf(thrown)?.subjectaltname;
  return typeof names === "string" ? printable(names) : "";
}

/** The common name of a certificate that was refused for its names; undefined where it has none. */
export function commonName(thrown: unknown): string | undefined {
  const name = certificateOf(thrown)?.subject?.CN;
  return typeof name === "string" ? printable(name) : undefined;
}

const CLOSED_CODES: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE", "ERR_STREAM_DESTROYED"]);

/** The verification results of OpenSSL (X509_verify_cert_error_string), as codes. */
const VERIFY_CODES = /CERT|CRL|ISSUER|VERIFY|SELF_SIGNED|PURPOSE|INVALID_CA|PATH_LENGTH|CHAIN/;

const REASONS: Readonly<Record<RefusalKind, (thrown: unknown, name: string) => string>> = {
  untrusted: (thrown) =>
    `the server's certificate is not accepted (${printable(messageOf(thrown))}); ` +
    "it must come from the given CA, be valid today, and be meant for servers",
  name: (thrown, name) => {
    const names = certificateNames(thrown);
    if (names !== "") {
      return `the server's certificate is not for ${name}, but for ${names}; ` +
        "say which of these names is meant";
    }
    return `the server's certificate is not for ${name}: it has no subject alternative name, but ` +
      `the common name "${commonName(thrown) ?? ""}" alone; say that this is meant, or give the ` +
      "server a certificate with a subject alternative name";
  },
  alert: (thrown) =>
    `the server refused with the alert "${alertName(thrown)}"; ` +
    "see that the client's certificate is one that the server's CA issued, and is valid today",
  closed: () =>
    "the server closed the connection during the handshake; " +
    "either it refused the client's certificate, or what listens there does not speak TLS",
  "not-tls": () => "what listens there does not speak TLS; is it the right port?",
  other: (thrown) => printable(messageOf(thrown)),
};

interface NamedCertificate {
  readonly subject?: { readonly CN?: unknown };
  readonly subjectaltname?: unknown;
}

/** The runtimes hang the certificate on the error about its names. */
function certificateOf(thrown: unknown): NamedCertificate | undefined {
  if (typeof thrown !== "object" || thrown === null || !("cert" in thrown)) return undefined;
  return thrown.cert as NamedCertificate | undefined;
}
