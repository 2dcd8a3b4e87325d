import type { X509Certificate } from "node:crypto";
import { serverNameOf } from "../../src/client/dial.ts";
import { ServerError } from "../../src/client/errors.ts";
import { lookAtCertificate } from "../../src/client/look.ts";
import { certificateNames, commonName, refusalKind } from "../../src/client/tls_refusal.ts";
import type { KeylessError } from "../../src/errors/errors.ts";
import { printable, quoted } from "../../src/errors/printable.ts";
import { mayAuthenticateClients, mayAuthenticateServers } from "../../src/pki/usages.ts";
import { WIRE_ERRORS } from "../../src/protocol/errors.ts";
import { daysLeft, type Target, type TargetResult } from "./check_target.ts";

/** What more there is to say of a failure. */
export interface Hint {
  readonly error: KeylessError;
  /** A sentence or two. */
  readonly text: string;
}

export interface HintOptions {
  readonly timeoutMs: number;
  /** The directory of `--dev` where all credentials are taken from it. */
  readonly devDirectory: string | undefined;
}

/** What more can be found out of the first failure that allows it; undefined where nothing helps. */
export async function findHint(
  target: Target,
  { failures }: TargetResult,
  options: HintOptions,
): Promise<Hint | undefined> {
  for (const { error } of failures.values()) {
    const text = error instanceof ServerError
      ? serverErrorHint(error)
      : await refusalHint(error, target, options);
    if (text !== undefined) return { error, text };
  }
  return undefined;
}

function serverErrorHint({ wireCode }: ServerError): string | undefined {
  if (wireCode !== WIRE_ERRORS.KEY_NOT_FOUND.code) return undefined;
  return "on the server, `keyless keys list` shows the keys that it has";
}

/** Of a refusal of TLS: by looking at the server's certificate, or at our own. */
async function refusalHint(
  error: KeylessError,
  target: Target,
  { timeoutMs, devDirectory }: HintOptions,
): Promise<string | undefined> {
  if (error.code !== "TLS_REFUSED") return undefined;
  const kind = error.cause === undefined ? "closed" : refusalKind(error.cause);
  if (kind === "name") return nameHint(error.cause);
  if (kind !== "untrusted" && kind !== "alert" && kind !== "closed") return undefined;
  if (devDirectory !== undefined) return devHint(devDirectory);
  if (kind !== "untrusted") return clientHint(target.credentials.certificate, target);
  const shown = await lookAtCertificate({ ...target, timeoutMs });
  return shown && serverHint(shown);
}

/** A certificate's name or issuer on one line. */
export function nameText(name: string): string {
  return quoted(name.trim().replaceAll("\n", ", "));
}

function devHint(directory: string): string {
  return `if this is a \`keyless serve --dev\`, it does not use ${printable(directory)} as that ` +
    "is now: name its directory with --dev-dir, or start it again";
}

function nameHint(cause: unknown): string | undefined {
  const first = /(?:DNS|IP Address):([^,\s]+)/.exec(certificateNames(cause))?.[1];
  const name = first ?? commonName(cause);
  return name && `if this is the server that you mean, say so: --server-name ${name}`;
}

function serverHint(shown: X509Certificate): string {
  const what = `the server shows ${nameText(shown.subject)}, issued by ${nameText(shown.issuer)}`;
  const fault = dateFault(shown) ??
    (mayAuthenticateServers(shown.raw) ? undefined : "is not meant for servers");
  if (fault !== undefined) return `${what}, which ${fault}: the server needs a new one`;
  return `${what}: if that is the authority that you trust, give its certificate with --ca`;
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
