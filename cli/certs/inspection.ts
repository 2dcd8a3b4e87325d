import { toHex } from "../../src/bytes/hex.ts";
import { KeylessError } from "../../src/errors/errors.ts";
import {
  type CertificateDetails,
  describeCertificate,
  describeRequest,
  type RequestDetails,
} from "../../src/pki/certificate_details.ts";
import type { Certificate, CertificateRequest } from "../../src/pki/certificates.ts";
import { chainFlaws, type ChainShape, examineChain } from "../../src/pki/chain.ts";
import { certificateFlaws } from "../../src/pki/flaws.ts";
import { namePath } from "../../src/keystore/key_failures.ts";
import type { FoundKey } from "../../src/pki/public_keys.ts";
import { outOfDate } from "../../src/pki/validity.ts";
import type { FailedSource, ReadSource } from "./sources.ts";
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
  /** Undefined where no authorities were given. */
  readonly trust: Trust | undefined;
}

export interface Inspected {
  readonly inspections: readonly Inspection[];
  readonly failures: readonly FailedSource[];
}

/** Looks at sources together, for a key may belong to a certificate of another source. */
export async function inspect(
  sources: readonly ReadSource[],
  authorities: Authorities | undefined,
): Promise<Inspected> {
  const inspections: Inspection[] = [];
  const failures: FailedSource[] = [];
  for (const source of sources) {
    try {
      inspections.push(await inspectSource(source, authorities));
    } catch (error) {
      if (!(error instanceof KeylessError)) throw error;
      failures.push(named(source.source, error));
    }
  }
  return { inspections: withOwners(inspections), failures };
}

function named(source: string, cause: KeylessError): FailedSource {
  const message = `${namePath(source)}: ${cause.message}`;
  return { source, error: new KeylessError(cause.code, message, { cause }) };
}

async function inspectSource(
  { source, bundle, warnings }: ReadSource,
  authorities: Authorities | undefined,
): Promise<Inspection> {
  const { certificates, requests, keys, problems } = bundle;
  const inspected = certificates.map(inspectCertificate);
  const chain = certificates.length === 0
    ? undefined
    : await inspectChain(certificates, inspected, authorities);
  return {
    source,
    certificates: inspected,
    requests: requests.map(inspectRequest),
    keys: keys.map((key) => ({ ...key, owners: [] })),
    chain,
    warnings,
    problems,
  };
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

async function inspectChain(
  certificates: readonly Certificate[],
  details: readonly CertificateDetails[],
  authorities: Authorities | undefined,
): Promise<InspectedChain> {
  const shape = await examineChain(certificates, details);
  const trust = authorities && judgeTrust(certificates, shape.path[0]!, authorities);
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
