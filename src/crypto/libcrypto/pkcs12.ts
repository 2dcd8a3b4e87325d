import { KeylessError } from "../../errors/errors.ts";
import { openX509Library, type X509Library } from "../../runtime/libcrypto_x509.ts";
import { encodeDer, withBio } from "./der.ts";
import { firstReason, takeErrors } from "./errors.ts";
import { elementsOf } from "./stack.ts";

/** What a PKCS#12 file holds. */
export interface Pkcs12Contents {
  /** DER; that of the private key first, then the others in the file's order. */
  readonly certificates: readonly Uint8Array[];
  /** SubjectPublicKeyInfo of the private key, DER; undefined where there is none. */
  readonly spki: Uint8Array | undefined;
}

/**
 * Opens PKCS#12 (RFC 7292). The private key is freed at once; nothing but its public half is kept.
 *
 * Files of old tools are encrypted with RC2, for which OpenSSL's legacy provider is loaded.
 *
 * @param passphrase without a terminating zero; the caller owns and overwrites it
 * @throws KeylessError "KEY_PASSPHRASE" for one that is missing or wrong, "KEY_UNSUPPORTED" for an
 *   encryption that this OpenSSL lacks, "CERTIFICATE_FORMAT" for a file that is damaged,
 *   "ENGINE_MISSING" without libcrypto
 */
export function openPkcs12(
  der: Uint8Array,
  passphrase: Uint8Array | undefined,
  library: X509Library = openX509Library(),
): Pkcs12Contents {
  library.ERR_clear_error();
  const pkcs12 = withBio(library, der, (bio) => library.d2i_PKCS12_bio(bio, 0));
  if (pkcs12 === 0) throw damaged(takeErrors(library));
  const zeroEnded = passphrase && withZero(passphrase);
  try {
    const opened = attempt(library, pkcs12, zeroEnded);
    if (!("reasons" in opened)) return opened;
    // a passphrase that was given may be for other files: this one may need none
    const plain = zeroEnded === undefined ? opened : attempt(library, pkcs12, undefined);
    if (!("reasons" in plain)) return plain;
    throw failure(opened.reasons, passphrase !== undefined);
  } finally {
    zeroEnded?.fill(0);
    library.PKCS12_free(pkcs12);
  }
}

/** Why OpenSSL does not open it, oldest first. */
interface Refusal {
  readonly reasons: readonly string[];
}

function attempt(
  library: X509Library,
  pkcs12: number,
  passphrase: Uint8Array | undefined,
): Pkcs12Contents | Refusal {
  const opened = parse(library, pkcs12, passphrase);
  const isLegacy = "reasons" in opened && isUnsupported(opened.reasons);
  return isLegacy && loadLegacy(library) ? parse(library, pkcs12, passphrase) : opened;
}

function parse(
  library: X509Library,
  pkcs12: number,
  passphrase: Uint8Array | undefined,
): Pkcs12Contents | Refusal {
  library.ERR_clear_error();
  const [key, certificate, others] = [out(), out(), out()];
  const parsed = library.PKCS12_parse(pkcs12, passphrase ?? null, key, certificate, others);
  if (parsed !== 1) return { reasons: takeErrors(library) };
  const pkey = Number(key[0]);
  const stack = Number(others[0]);
  const found = [Number(certificate[0]), ...elementsOf(library, stack)];
  const pointers = found.filter((pointer) => pointer !== 0);
  try {
    return {
      certificates: pointers.flatMap((pointer) =>
        encodeDer(library, (to) => library.i2d_X509(pointer, to)) ?? []
      ),
      spki: pkey === 0 ? undefined : encodeDer(library, (to) => library.i2d_PUBKEY(pkey, to)),
    };
  } finally {
    library.EVP_PKEY_free(pkey);
    for (const pointer of pointers) library.X509_free(pointer);
    library.OPENSSL_sk_free(stack);
  }
}

/** Keeps the default provider beside it. */
function loadLegacy(library: X509Library): boolean {
  const name = new TextEncoder().encode("legacy\0");
  return library.OSSL_PROVIDER_try_load(0, name, 1) !== 0;
}

function withZero(passphrase: Uint8Array): Uint8Array {
  const ended = new Uint8Array(passphrase.length + 1);
  ended.set(passphrase);
  return ended;
}

function isUnsupported(reasons: readonly string[]): boolean {
  return reasons.some((reason) => UNSUPPORTED.test(reason));
}

function failure(reasons: readonly string[], hasPassphrase: boolean): KeylessError {
  if (isUnsupported(reasons)) return unsupported("is not supported by this OpenSSL");
  if (reasons.some((reason) => NO_MAC.test(reason))) return unsupported("lacks its MAC");
  if (!reasons.some((reason) => PASSPHRASE.test(reason))) return damaged(reasons);
  return new KeylessError(
    "KEY_PASSPHRASE",
    hasPassphrase
      ? "the passphrase does not open the PKCS#12 file; check --passphrase-file"
      : "the PKCS#12 file is encrypted; give its passphrase by --passphrase-file",
  );
}

function unsupported(why: string): KeylessError {
  return new KeylessError(
    "KEY_UNSUPPORTED",
    `the encryption of this PKCS#12 file ${why}; write it as PEM, where an OpenSSL reads it: ` +
      "openssl pkcs12 -in FILE -out all.pem",
  );
}

function damaged(reasons: readonly string[]): KeylessError {
  const message = `PKCS#12 that cannot be read: ${firstReason(reasons)}`;
  return new KeylessError("CERTIFICATE_FORMAT", message);
}

function out(): BigUint64Array {
  return new BigUint64Array(1);
}

const UNSUPPORTED = /unsupported|unknown (?:pbe|cipher|digest)|fetch failed/;
const NO_MAC = /mac absent/;
/** What a wrong one leads to, with a checksum in the file and without. */
const PASSPHRASE = /mac verify failure|cipherfinal|bad decrypt|wrong final block length/;
