import type { Engine } from "../crypto/engine.ts";
import { openPkcs12 } from "../crypto/libcrypto/pkcs12.ts";
import { KeylessError } from "../errors/errors.ts";
import { type Certificate, parseCertificate } from "./certificates.ts";
import { type FoundKey, identify } from "./public_keys.ts";

export interface Pkcs12Options {
  /** The caller owns and overwrites it. */
  readonly passphrase?: Uint8Array | undefined;
  /** libcrypto; no other opens PKCS#12. */
  readonly engine?: Engine | undefined;
}

/** At least a certificate or a key. */
export interface Pkcs12Bundle {
  readonly certificates: readonly Certificate[];
  readonly keys: readonly FoundKey[];
}

/**
 * Reads the certificates of PKCS#12 (RFC 7292), and the public half of its private key.
 *
 * @throws KeylessError "ENGINE_MISSING" where the engine is not libcrypto; as `openPkcs12`
 */
export function readPkcs12(der: Uint8Array, { passphrase, engine }: Pkcs12Options): Pkcs12Bundle {
  if (engine?.name !== "libcrypto") throw needsLibcrypto(engine?.warning);
  const { certificates, spki } = openPkcs12(der, passphrase);
  if (certificates.length === 0 && spki === undefined) {
    throw new KeylessError("CERTIFICATE_FORMAT", "PKCS#12 without a certificate or a key in it");
  }
  return {
    certificates: certificates.map(parseCertificate),
    keys: spki === undefined
      ? []
      : [{ source: "private key", subject: undefined, ...identify(spki) }],
  };
}

/** @param why libcrypto was not chosen, if that is known */
function needsLibcrypto(why: string | undefined): KeylessError {
  const message =
    "PKCS#12 is opened by libcrypto of OpenSSL 3 alone; install it, or write the file " +
    "as PEM elsewhere: openssl pkcs12 -in FILE -nokeys -out certificates.pem";
  return new KeylessError("ENGINE_MISSING", why === undefined ? message : `${message} (${why})`);
}
