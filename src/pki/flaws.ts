import { MIN_RSA_BITS } from "../crypto/key_strength.ts";
import { type CertificateDetails, describeCertificate } from "./certificate_details.ts";
import type { Certificate } from "./certificates.ts";
import { endsSoon, outOfDate } from "./validity.ts";

/**
 * Why clients that check everything would not accept a certificate as a TLS server's. Its dates and
 * its signature are not looked at.
 *
 * @returns one for each: "is not made for servers (extended key usage)", to follow its name
 * @throws KeylessError "CERTIFICATE_FORMAT"
 */
export function serverFlaws(certificate: Certificate): string[] {
  const details = describeCertificate(certificate);
  return [
    ...(mayBeFor("serverAuth", details) ? [] : ["is not made for servers (extended key usage)"]),
    ...lacksName(details),
    ...weaknesses(details),
  ];
}

/**
 * What is wrong or weak with a certificate of any kind, to follow its name; of one that ends soon
 * that too. Where it is used, and whom it is signed by, is not known here.
 */
export function certificateFlaws(details: CertificateDetails, nowMs = Date.now()): string[] {
  const { extensions, serial } = details;
  const isLeaf = !mayVouch(details);
  return [
    ...outOfDate(details, nowMs),
    ...endsSoon(details, nowMs),
    ...(isLeaf && mayBeFor("serverAuth", details) ? lacksName(details) : []),
    ...(isLeaf && extensions.extendedKeyUsages === undefined
      ? ["does not say whether it is for servers or clients (extended key usage)"]
      : []),
    ...weaknesses(details),
    ...(serial.isPositive ? [] : ["has a serial number that is not above 0: some refuse it"]),
    ...extensions.others.filter(({ isDamaged }) => isDamaged)
      .map(({ oid, name }) => `has a damaged extension: ${name ?? oid}`),
  ];
}

/**
 * Whether OpenSSL lets a certificate vouch for others (RFC 5280 4.2.1.9 and 4.2.1.3).
 *
 * @throws KeylessError "CERTIFICATE_FORMAT"
 */
export function isAuthority(certificate: Certificate): boolean {
  return mayVouch(describeCertificate(certificate));
}

/** The same of a certificate that was described before. */
export function mayVouch({ version, extensions }: CertificateDetails): boolean {
  if (version < 3) return true; // before version 3 there was no telling
  const { basicConstraints, keyUsages } = extensions;
  const signs = keyUsages?.includes("keyCertSign");
  return basicConstraints === undefined ? signs === true : basicConstraints.isCa && signs !== false;
}

function mayBeFor(usage: string, { extensions }: CertificateDetails): boolean {
  const usages = extensions.extendedKeyUsages;
  return usages === undefined || usages.includes(usage) || usages.includes("any");
}

function lacksName({ extensions }: CertificateDetails): string[] {
  if (extensions.names !== undefined) return [];
  return ["has no subject alternative name: clients find no name in it to check"];
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

const WEAK_HASHES: ReadonlySet<string> = new Set(["MD2", "MD4", "MD5", "SHA-1"]);
