import { MIN_RSA_BITS } from "../crypto/key_strength.ts";
import { KeylessError } from "../errors/errors.ts";
import { type CertificateDetails, describeCertificate } from "./certificate_details.ts";
import type { Certificate } from "./certificates.ts";
import type { Extensions } from "./extensions.ts";
import { endsSoon, outOfDate } from "./validity.ts";

/**
 * Why clients that check everything would not accept a certificate as a TLS server's, one line each,
 * to follow its name: "is not made for servers (extended key usage)". Its dates and its signature
 * are not looked at. Of one that cannot be read in all its parts, it says so.
 */
export function serverFlaws(certificate: Certificate): string[] {
  return examine(certificate, (details) => [
    ...(mayBeFor("serverAuth", details) ? [] : ["is not made for servers (extended key usage)"]),
    ...lacksName(details),
    ...weaknesses(details),
    ...damages(details),
  ]);
}

/** Why clients would be refused that a certificate has signed; else as `serverFlaws`. */
export function authorityFlaws(certificate: Certificate): string[] {
  return examine(certificate, (details) => [
    ...(mayVouch(details)
      ? []
      : ["is no authority's (CA:FALSE): clients that it has signed will be refused"]),
    ...damages(details),
  ]);
}

/**
 * What is wrong or weak with a certificate of any kind, to follow its name; of one that ends soon
 * that too. Where it is used, and whom it is signed by, is not known here.
 */
export function certificateFlaws(details: CertificateDetails, nowMs = Date.now()): string[] {
  const isLeaf = !mayVouch(details);
  return [
    ...outOfDate(details, nowMs),
    ...endsSoon(details, nowMs),
    ...(isLeaf && mayBeFor("serverAuth", details) ? lacksName(details) : []),
    ...(isLeaf ? vagueUsage(details) : []),
    ...weaknesses(details),
    ...(details.serial.isPositive
      ? []
      : ["has a serial number that is not above 0: some refuse it"]),
    ...damages(details),
  ];
}

/**
 * Whether a certificate names a use, or does not say what it is for (RFC 5280 4.2.1.12). "any" names
 * none: OpenSSL, BoringSSL and rustls accept it of neither servers nor clients.
 *
 * @param usage as in `Extensions`
 */
export function mayBeFor(
  usage: "serverAuth" | "clientAuth",
  { extensions: { extendedKeyUsages } }: CertificateDetails,
): boolean {
  return extendedKeyUsages === undefined || extendedKeyUsages.includes(usage);
}

/** Whether OpenSSL lets a certificate vouch for others (RFC 5280 4.2.1.9 and 4.2.1.3). */
export function mayVouch({ version, extensions }: CertificateDetails): boolean {
  if (version < 3) return true; // before version 3 there was no telling
  const { basicConstraints, keyUsages } = extensions;
  const signs = keyUsages?.includes("keyCertSign");
  return basicConstraints === undefined ? signs === true : basicConstraints.isCa && signs !== false;
}

function examine(
  certificate: Certificate,
  find: (details: CertificateDetails) => string[],
): string[] {
  try {
    return find(describeCertificate(certificate));
  } catch (error) {
    if (!(error instanceof KeylessError)) throw error;
    return [`cannot be examined: it is ${error.message}`];
  }
}

function lacksName({ extensions }: CertificateDetails): string[] {
  if (extensions.names !== undefined || isDamaged(extensions, ALTERNATIVE_NAME)) return [];
  return ["has no subject alternative name: clients find no name in it to check"];
}

/** Of a leaf. */
function vagueUsage({ extensions }: CertificateDetails): string[] {
  const { extendedKeyUsages } = extensions;
  if (extendedKeyUsages === undefined) {
    return isDamaged(extensions, EXTENDED_KEY_USAGE)
      ? []
      : ["does not say whether it is for servers or clients (extended key usage)"];
  }
  const isAnyAlone = extendedKeyUsages.includes("any") &&
    !extendedKeyUsages.includes("serverAuth") && !extendedKeyUsages.includes("clientAuth");
  return isAnyAlone
    ? ['is for "any" use (extended key usage): OpenSSL takes that for neither servers nor clients']
    : [];
}

function damages({ extensions }: CertificateDetails): string[] {
  return extensions.others.filter(({ isDamaged }) => isDamaged)
    .map(({ oid, name }) => `has a damaged extension: ${name ?? oid}`);
}

function isDamaged({ others }: Extensions, identifier: string): boolean {
  return others.some(({ oid, isDamaged }) => isDamaged && oid === identifier);
}

function weaknesses(details: CertificateDetails): string[] {
  const { key, signature, subject, issuer } = details;
  const isRsa = key.type === "rsa" || key.type === "RSASSA-PSS";
  // what an authority signs of itself proves nothing, whatever the hash
  const isRoot = mayVouch(details) && subject.text === issuer.text;
  const isWeakHash = WEAK_HASHES.has(signature.hash ?? "") && !isRoot;
  return [
    ...(isRsa && key.bits !== undefined && key.bits < MIN_RSA_BITS
      ? [`has an RSA key of only ${key.bits} bits`]
      : []),
    ...(isWeakHash ? [`is signed with ${signature.hash}, which clients refuse`] : []),
  ];
}

const ALTERNATIVE_NAME = "2.5.29.17";
const EXTENDED_KEY_USAGE = "2.5.29.37";

const WEAK_HASHES: ReadonlySet<string> = new Set(["MD2", "MD4", "MD5", "SHA-1"]);
