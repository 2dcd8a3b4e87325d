import { toHex } from "../../src/bytes/hex.ts";
import { KeylessError } from "../../src/errors/errors.ts";
import { printable } from "../../src/errors/printable.ts";
import {
  type CertificateDetails,
  describeCertificate,
  describeRequest,
  type RequestDetails,
} from "../../src/pki/certificate_details.ts";
import type { Certificate, CertificateRequest } from "../../src/pki/certificates.ts";
import { chainFlaws, type ChainShape, examineChain } from "../../src/pki/chain.ts";
import { certificateFlaws, mayVouch } from "../../src/pki/flaws.ts";
import type { FoundKey } from "../../src/pki/public_keys.ts";
import { outOfDate } from "../../src/pki/validity.ts";
import type { ReadSource } from "./sources.ts";
import { type Authorities, judgeTrust, type Trust } from "./trust.ts";

/** All that is shown of a source. */
export interface Inspection {
  readonly source: string;
  readonly certificates: readonly InspectedCertificate[];
  readonly requests: readonly InspectedRequest[];
  readonly keys: readonly InspectedKey[];
  /** Undefined where there is no certificate. */
  readonly chain: InspectedChain | undefined;
  /** One printable line each. */
  readonly warnings: readonly string[];
  /** What of it cannot be read. */
  readonly problems: readonly KeylessError[];
}

export interface InspectedCertificate extends CertificateDetails {
  readonly der: Uint8Array;
  /** To follow its name: "has expired on …". */
  readonly flaws: readonly string[];
  readonly isOutOfDate: boolean;
}

export interface InspectedRequest extends RequestDetails {
  readonly der: Uint8Array;
}

export interface InspectedKey extends FoundKey {
  /** The certificates and requests, of all sources, whose key it is. */
  readonly owners: readonly KeyOwner[];
}

export interface KeyOwner {
  readonly source: string;
  readonly kind: "certificate" | "request";
  readonly subject: string;
}

export interface InspectedChain extends ChainShape {
  readonly flaws: readonly string[];
  /** On each leaf, that of the path first; none where no authorities were given. */
  readonly trust: readonly Trust[];
}

/** Looks at sources together, for a key may belong to a certificate of another source. */
export async function inspect(
  sources: readonly ReadSource[],
  authorities: Authorities | undefined,
): Promise<readonly Inspection[]> {
  const inspections: Inspection[] = [];
  for (const source of sources) inspections.push(await inspectSource(source, authorities));
  return withOwners(inspections);
}

async function inspectSource(
  { source, bundle, warnings, serverName }: ReadSource,
  authorities: Authorities | undefined,
): Promise<Inspection> {
  const problems = [...bundle.problems];
  const found = bundle.certificates.flatMap((each) =>
    inspectPart(problems, each, inspectCertificate)
  );
  return {
    source,
    certificates: found.map(({ details }) => details),
    requests: bundle.requests.flatMap((each) => inspectPart(problems, each, inspectRequest))
      .map(({ details }) => details),
    keys: bundle.keys.map((key) => ({ ...key, owners: [] })),
    chain: found.length === 0 ? undefined : await inspectChain(found, authorities, serverName),
    warnings,
    problems,
  };
}

/** Something of a source, and what is shown of it. */
interface Part<Read, Details> {
  readonly read: Read;
  readonly details: Details;
}

/** None where it cannot be read in all its parts, which becomes a problem. */
function inspectPart<Read extends CertificateRequest, Details>(
  problems: KeylessError[],
  read: Read,
  look: (read: Read) => Details,
): Part<Read, Details>[] {
  try {
    return [{ read, details: look(read) }];
  } catch (cause) {
    if (!(cause instanceof KeylessError)) throw cause;
    const message = `${printable(read.subject) || "no subject"}: ${cause.message}`;
    problems.push(new KeylessError(cause.code, message, { cause }));
    return [];
  }
}

function inspectCertificate(certificate: Certificate): InspectedCertificate {
  const details = describeCertificate(certificate);
  return {
    ...details,
    der: certificate.der,
    flaws: certificateFlaws(details),
    isOutOfDate: outOfDate(details).length > 0,
  };
}

function inspectRequest(request: CertificateRequest): InspectedRequest {
  return { ...describeRequest(request), der: request.der };
}

/** A file may hold several leaves, though they make no chain: none is taken for verified unseen. */
async function inspectChain(
  found: readonly Part<Certificate, InspectedCertificate>[],
  authorities: Authorities | undefined,
  serverName: string | undefined,
): Promise<InspectedChain> {
  const certificates = found.map(({ read }) => read);
  const details = found.map((each) => each.details);
  const shape = await examineChain(certificates, details);
  const own = shape.path[0]!;
  const leaves = [own, ...shape.unrelated.filter((each) => !mayVouch(details[each]!))];
  const trust = authorities === undefined
    ? []
    : leaves.map((leaf) =>
      judgeTrust(certificates, leaf, authorities, leaf === own ? serverName : undefined)
    );
  return { ...shape, flaws: chainFlaws(shape), trust };
}

function withOwners(inspections: readonly Inspection[]): Inspection[] {
  const owners = new Map<string, KeyOwner[]>();
  for (const { source, certificates, requests } of inspections) {
    const add = (kind: KeyOwner["kind"], { key, subject }: RequestDetails) => {
      const known = owners.get(toHex(key.ski)) ?? [];
      known.push({ source, kind, subject: subject.text });
      owners.set(toHex(key.ski), known);
    };
    for (const certificate of certificates) add("certificate", certificate);
    for (const request of requests) add("request", request);
  }
  return inspections.map((inspection) => ({
    ...inspection,
    keys: inspection.keys.map((key) => ({ ...key, owners: owners.get(toHex(key.ski)) ?? [] })),
  }));
}
