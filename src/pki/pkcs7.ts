import { KeylessError } from "../errors/errors.ts";
import { type Certificate, parseCertificate } from "./certificates.ts";
import { x509 } from "./x509.ts";

/**
 * The certificates of PKCS#7 SignedData (RFC 2315 section 9.1, RFC 5652 section 5.1), in its order;
 * what is signed, if anything, is not looked at.
 *
 * @returns at least one
 * @throws KeylessError "CERTIFICATE_FORMAT"
 */
export function readPkcs7(der: Uint8Array): Certificate[] {
  const found = read(der).map((each) => parseCertificate(new Uint8Array(each.rawData)));
  if (found.length > 0) return found;
  throw new KeylessError("CERTIFICATE_FORMAT", "PKCS#7 without a certificate in it");
}

function read(der: Uint8Array) {
  try {
    return Array.from(new x509.X509Certificates(new Uint8Array(der)));
  } catch (cause) {
    const message = "PKCS#7 that cannot be read: it is damaged, or not signed data";
    throw new KeylessError("CERTIFICATE_FORMAT", message, { cause });
  }
}
