import { isIP } from "node:net";
import { KeylessError } from "../../errors/errors.ts";
import { readCString } from "../../runtime/ffi.ts";
import { openX509Library, type X509Library } from "../../runtime/libcrypto_x509.ts";
import type { Purpose } from "../purposes.ts";
import { encodeDer, withBio } from "./der.ts";
import { firstReason, takeErrors } from "./errors.ts";
import { elementsOf } from "./stack.ts";

/** Certificates are DER. */
export interface ChainQuestion {
  readonly certificate: Uint8Array;
  /** What may stand between it and an authority, in any order. */
  readonly intermediates: readonly Uint8Array[];
  readonly authorities: readonly Uint8Array[];
  readonly purpose: Purpose;
  /** The DNS name or IP address that the certificate must be for; any where it is left out. */
  readonly host?: string | undefined;
}

export interface ChainVerdict {
  readonly isValid: boolean;
  /** OpenSSL's words for the first error: "certificate has expired"; "ok" where it is valid. */
  readonly reason: string;
  /** The certificate that it is about: 0 is the one in question, 1 its issuer. */
  readonly depth: number;
  /** DER, as far as OpenSSL could build it: the certificate first, then each one's issuer. */
  readonly chain: readonly Uint8Array[];
}

/**
 * OpenSSL's own verdict (`X509_verify_cert`), that of `openssl verify -purpose`, and of
 * `-verify_hostname` or `-verify_ip`: signatures, dates of now, CA bit, path length, name
 * constraints, usages, the host's name. An authority is one that is given and signed by itself.
 * Revocation is not looked at.
 *
 * @throws KeylessError "CERTIFICATE_FORMAT" for a certificate that OpenSSL cannot read,
 *   "ENGINE_MISSING" without libcrypto
 */
export function verifyChain(
  question: ChainQuestion,
  library: X509Library = openX509Library(),
): ChainVerdict {
  library.ERR_clear_error();
  const taken: (() => void)[] = [];
  try {
    const read = (der: Uint8Array): number => {
      const pointer = readCertificate(library, der);
      taken.push(() => library.X509_free(pointer));
      return pointer;
    };
    const certificate = read(question.certificate);
    const stack = library.OPENSSL_sk_new_null();
    taken.push(() => library.OPENSSL_sk_free(stack));
    for (const der of question.intermediates) library.OPENSSL_sk_push(stack, read(der));
    const store = library.X509_STORE_new();
    taken.push(() => library.X509_STORE_free(store));
    for (const der of question.authorities) library.X509_STORE_add_cert(store, read(der));
    const context = library.X509_STORE_CTX_new();
    taken.push(() => library.X509_STORE_CTX_free(context));
    if (library.X509_STORE_CTX_init(context, store, certificate, stack) !== 1) {
      throw unreadable(takeErrors(library));
    }
    setPurpose(library, context, question.purpose);
    if (question.host !== undefined) setHost(library, context, question.host);
    return ask(library, context);
  } finally {
    while (taken.length > 0) taken.pop()!(); // what uses another is given back before it
    library.ERR_clear_error();
  }
}

function ask(library: X509Library, context: number): ChainVerdict {
  const isValid = library.X509_verify_cert(context) === 1;
  const error = library.X509_STORE_CTX_get_error(context);
  const chain = elementsOf(library, library.X509_STORE_CTX_get0_chain(context));
  return {
    isValid,
    reason: readCString(library.X509_verify_cert_error_string(error)),
    depth: library.X509_STORE_CTX_get_error_depth(context),
    chain: chain.flatMap((each) => encodeDer(library, (out) => library.i2d_X509(each, out)) ?? []),
  };
}

function setPurpose(library: X509Library, context: number, purpose: Purpose): void {
  const id = PURPOSE_IDS[purpose];
  if (id === undefined) return;
  library.X509_VERIFY_PARAM_set_purpose(library.X509_STORE_CTX_get0_param(context), id);
}

function setHost(library: X509Library, context: number, host: string): void {
  const parameters = library.X509_STORE_CTX_get0_param(context);
  const name = new TextEncoder().encode(`${host}\0`);
  const isSet = isIP(host) === 0
    ? library.X509_VERIFY_PARAM_set1_host(parameters, name, name.length - 1)
    : library.X509_VERIFY_PARAM_set1_ip_asc(parameters, name);
  if (isSet !== 1) throw unreadable(takeErrors(library)); // it must not pass unchecked
}

function readCertificate(library: X509Library, der: Uint8Array): number {
  const pointer = withBio(library, der, (bio) => library.d2i_X509_bio(bio, 0));
  if (pointer === 0) throw unreadable(takeErrors(library));
  return pointer;
}

function unreadable(reasons: readonly string[]): KeylessError {
  const message = `OpenSSL cannot read the certificate: ${firstReason(reasons)}`;
  return new KeylessError("CERTIFICATE_FORMAT", message);
}

/** x509v3.h: X509_PURPOSE_SSL_SERVER, X509_PURPOSE_SSL_CLIENT. */
const PURPOSE_IDS: Readonly<Record<Purpose, number | undefined>> = {
  server: 2,
  client: 1,
  any: undefined,
};
