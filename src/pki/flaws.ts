import { MIN_RSA_BITS } from "../crypto/key_strength.ts";
import type { Certificate } from "./certificates.ts";
import { mayAuthenticateServers } from "./usages.ts";
import { x509 } from "./x509.ts";

/**
 * Why clients that check everything would not accept a certificate as a TLS server's. Its dates and
 * its signature are not looked at.
 *
 * @returns one for each: "is not made for servers (extended key usage)", to follow its name
 */
export function serverFlaws({ der }: Certificate): string[] {
  const certificate = new x509.X509Certificate(new Uint8Array(der));
  const { algorithm } = certificate.publicKey;
  const bits = "modulusLength" in algorithm ? Number(algorithm.modulusLength) : undefined;
  const { hash } = certificate.signatureAlgorithm;
  return [
    ...(mayAuthenticateServers(der) ? [] : ["is not made for servers (extended key usage)"]),
    ...(certificate.getExtension(x509.SubjectAlternativeNameExtension) === null
      ? ["has no subject alternative name: clients find no name in it to check"]
      : []),
    ...(bits !== undefined && bits < MIN_RSA_BITS ? [`has an RSA key of only ${bits} bits`] : []),
    ...(hash?.name === "SHA-1" ? ["is signed with SHA-1, which clients refuse"] : []),
  ];
}

/** Whether OpenSSL lets a certificate vouch for others (RFC 5280 4.2.1.9 and 4.2.1.3). */
export function isAuthority({ der }: Certificate): boolean {
  const certificate = new x509.X509Certificate(new Uint8Array(der));
  if (certificate.extensions.length === 0) return true; // before version 3 there was no telling
  const constraints = certificate.getExtension(x509.BasicConstraintsExtension);
  const usages = certificate.getExtension(x509.KeyUsagesExtension)?.usages;
  const signs = usages === undefined ? undefined : (usages & x509.KeyUsageFlags.keyCertSign) !== 0;
  return constraints === null ? signs === true : constraints.ca && signs !== false;
}
