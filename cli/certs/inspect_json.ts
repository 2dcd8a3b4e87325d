import { Buffer } from "node:buffer";
import { toHex } from "../../src/bytes/hex.ts";
import type { RequestDetails } from "../../src/pki/certificate_details.ts";
import { daysLeft } from "../../src/pki/validity.ts";
import type {
  InspectedCertificate,
  InspectedChain,
  InspectedKey,
  InspectedRequest,
  Inspection,
} from "./inspection.ts";

/** A source in the JSON document. What is not there is null, or an empty list. */
export function toJson({ source, certificates, requests, keys, chain }: Inspection): object {
  return {
    source,
    certificates: certificates.map(certificateFields),
    requests: requests.map(requestFields),
    keys: keys.map(keyFields),
    chain: chain === undefined ? null : chainFields(chain),
  };
}

function certificateFields(details: InspectedCertificate): object {
  const { issuer, serial, extensions, notBefore, notAfter } = details;
  const { authorityKeyId, ocspUrls, crlUrls, issuerUrls } = extensions;
  return {
    ...subjectFields(details),
    issuer: issuer.text,
    issuerAttributes: issuer.attributes,
    version: details.version,
    serial: serial.decimal ?? null,
    serialHex: serial.hex,
    notBefore: notBefore.toISOString(),
    notAfter: notAfter.toISOString(),
    daysLeft: daysLeft(details),
    authorityKeyId: hexOrNull(authorityKeyId),
    ocspUrls,
    crlUrls,
    issuerUrls,
    sha256: toHex(details.sha256),
    sha1: toHex(details.sha1),
    warnings: details.flaws,
  };
}

function requestFields(details: InspectedRequest): object {
  return subjectFields(details);
}

function subjectFields({ subject, key, signature, extensions, der }: RequestFields): object {
  const { names, keyUsages, extendedKeyUsages, basicConstraints, nameConstraints } = extensions;
  const { type, label, bits, curve, ski } = key;
  return {
    subject: subject.text,
    subjectAttributes: subject.attributes,
    names: names ?? [],
    key: { type, label, bits: bits ?? null, curve: curve ?? null, ski: toHex(ski) },
    keyUsages: keyUsages ?? null,
    extendedKeyUsages: extendedKeyUsages ?? null,
    ca: basicConstraints?.isCa ?? null,
    pathLength: basicConstraints?.pathLength ?? null,
    nameConstraints: nameConstraints ?? null,
    subjectKeyId: hexOrNull(extensions.subjectKeyId),
    signature: { label: signature.label, hash: signature.hash ?? null },
    otherExtensions: extensions.others.map(({ oid, name, isCritical, isDamaged }) => ({
      oid,
      name: name ?? null,
      critical: isCritical,
      damaged: isDamaged,
    })),
    der: Buffer.from(der).toString("base64"),
  };
}

type RequestFields = RequestDetails & { readonly der: Uint8Array };

function keyFields({ source, label, ski, owners }: InspectedKey): object {
  return { kind: source, label, ski: toHex(ski), belongsTo: owners };
}

/** Certificates are numbered from 0 on, as in their list. */
function chainFields({ trust, flaws, ...shape }: InspectedChain): object {
  const { path, endsInRoot, isOrdered, unrelated, repeated } = shape;
  return {
    path,
    endsInRoot,
    isOrdered,
    unrelated,
    repeated,
    warnings: flaws,
    trust,
  };
}

function hexOrNull(bytes: Uint8Array | undefined): string | null {
  return bytes === undefined ? null : toHex(bytes);
}
