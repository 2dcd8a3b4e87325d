import type { X509Certificate } from "node:crypto";
import { serverNameOf } from "../../src/client/dial.ts";
import { lookAtCertificate } from "../../src/client/look.ts";
import { certificateNames, refusalKind } from "../../src/client/tls_refusal.ts";
import type { KeylessError } from "../../src/errors/errors.ts";
import { mayAuthenticateClients, mayAuthenticateServers } from "../../src/pki/usages.ts";
import { printable } from "../../src/telemetry/printable.ts";
import { daysLeft, type Target } from "./check_target.ts";

/**
 * What more can be found out of a refusal of TLS, in a sentence or two: by looking at the server's
 * certificate, or at our own. Undefined where nothing helps.
 */
export async function explainRefusal(
  error: KeylessError,
  target: Target,
  timeoutMs: number,
): Promise<string | undefined> {
  if (error.code !== "TLS_REFUSED") return undefined;
  switch (error.cause === undefined ? "closed" : refusalKind(error.cause)) {
    case "name":
      return nameHint(certificateNames(error.cause));
    case "untrusted": {
      const shown = await lookAtCertificate({ ...target, timeoutMs });
      return shown && serverHint(shown);
    }
    case "alert":
    case "closed":
      return clientHint(target.credentials.certificate, target);
    default:
      return undefined;
  }
}

/** A certificate's name or issuer on one line. */
export function nameText(name: string): string {
  return `"${printable(name.trim().replaceAll("\n", ", "))}"`;
}

function nameHint(names: string): string | undefined {
  const first = /(?:DNS|IP Address):([^,\s]+)/.exec(names)?.[1];
  return first && `if this is the server that you mean, say so: --server-name ${printable(first)}`;
}

function serverHint(shown: X509Certificate): string {
  const what = `the server shows ${nameText(shown.subject)}, issued by ${nameText(shown.issuer)}`;
  const fault = dateFault(shown) ??
    (mayAuthenticateServers(shown.raw) ? undefined : "is not meant for servers");
  if (fault !== undefined) return `${what}, which ${fault}: the server needs a new one`;
  return `${what}: give the certificate of that authority with --ca`;
}

function clientHint(own: X509Certificate, { endpoint, serverName }: Target): string {
  const what = `the client's certificate ${nameText(own.subject)}, issued by ${
    nameText(own.issuer)
  },`;
  const fault = dateFault(own) ??
    (mayAuthenticateClients(own.raw) ? undefined : "is not meant for clients (clientAuth)");
  if (fault !== undefined) return `${what} ${fault}: give another with --cert and --key`;
  const name = printable(serverName ?? serverNameOf(endpoint));
  return `${what} has no fault that can be seen from here: ` +
    `see that the CA that ${name} demands of its clients (cloudflare_ca_cert) is its issuer`;
}

function dateFault(certificate: X509Certificate): string | undefined {
  if (Date.parse(certificate.validFrom) > Date.now()) {
    return `is not valid before ${isoDate(certificate.validFrom)}`;
  }
  return daysLeft(certificate) < 0 ? `expired on ${isoDate(certificate.validTo)}` : undefined;
}

function isoDate(text: string): string {
  return new Date(text).toISOString();
}
