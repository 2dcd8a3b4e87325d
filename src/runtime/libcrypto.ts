import process from "node:process";
import { KeylessError } from "../errors/errors.ts";
import { type Functions, readCString, type SymbolTable } from "./ffi.ts";
import { findLibrary, systemLibraryPaths } from "./system_library.ts";

/** OpenSSL 3's libcrypto, as far as it is used here. */
export type Libcrypto = Functions<typeof SYMBOLS>;

/** Where libcrypto is looked for. */
export const LIBCRYPTO_PATHS: readonly string[] = systemLibraryPaths("libcrypto.so.3");

/** How to install OpenSSL 3, for messages. */
export const LIBCRYPTO_INSTALL_HINT =
  "install OpenSSL 3 (Debian, Ubuntu: apt-get install libssl3; Fedora, RHEL: dnf install " +
  "openssl-libs; Alpine: apk add libcrypto3)" +
  (process.versions.deno === undefined ? "" : " and give Deno --allow-ffi");

/**
 * Opens OpenSSL 3.
 *
 * @param paths absolute paths; the first that can be used is
 * @throws KeylessError "ENGINE_MISSING", with what was tried
 */
export function openLibcrypto(paths: readonly string[] = LIBCRYPTO_PATHS): Libcrypto {
  const found = findLibrary(paths, SYMBOLS);
  if (found.path === undefined) throw missingLibcrypto(`looked at ${found.tried.join(", ")}`);
  const libcrypto = found.functions;
  const major = libcrypto.OpenSSL_version_num() >>> VERSION_MAJOR_SHIFT;
  if (major !== 3) throw missingLibcrypto(`${found.path} is ${libcryptoVersion(libcrypto)}`);
  // OpenSSL would tear itself down in an exit handler while other threads still compute
  libcrypto.OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, 0);
  return libcrypto;
}

/** As OpenSSL spells it: "OpenSSL 3.0.19 27 Jan 2026". */
export function libcryptoVersion(libcrypto: Libcrypto): string {
  return readCString(libcrypto.OpenSSL_version(0));
}

/** The error for a libcrypto that is not there; `why` says what was tried. */
export function missingLibcrypto(why: string): KeylessError {
  return new KeylessError(
    "ENGINE_MISSING",
    `libcrypto of OpenSSL 3 cannot be used: ${why}; ${LIBCRYPTO_INSTALL_HINT}`,
  );
}

const VERSION_MAJOR_SHIFT = 28;
const OPENSSL_INIT_NO_ATEXIT = 0x0008_0000;

/**
 * None of them is variadic or a macro, and all are in 3.0. A `long *` or `size_t *`, and any
 * pointer to a pointer, is a BigUint64Array of one; an `int *` is one too, read as its low half.
 */
const SYMBOLS = {
  OPENSSL_init_crypto: ["int", "size", "pointer"],
  OpenSSL_version: ["pointer", "int"],
  OpenSSL_version_num: ["size"],

  ERR_clear_error: ["void"],
  ERR_error_string_n: ["void", "size", "buffer", "size"],
  ERR_get_error: ["size"],

  // memory
  BIO_ctrl: ["size", "pointer", "int", "size", "buffer"],
  BIO_free: ["int", "pointer"],
  BIO_new: ["pointer", "pointer"],
  BIO_s_mem: ["pointer"],
  BIO_write: ["int", "pointer", "buffer", "int"],
  CRYPTO_clear_free: ["void", "pointer", "size", "pointer", "int"],
  CRYPTO_free: ["void", "pointer", "pointer", "int"],
  CRYPTO_malloc: ["pointer", "size", "pointer", "int"],
  CRYPTO_secure_clear_free: ["void", "pointer", "size", "pointer", "int"],

  // key files
  OBJ_nid2sn: ["pointer", "int"],
  OBJ_obj2nid: ["int", "pointer"],
  PEM_do_header: ["int", "buffer", "pointer", "buffer", "pointer", "buffer"],
  PEM_get_EVP_CIPHER_INFO: ["int", "pointer", "buffer"],
  PEM_read_bio_ex: ["int", "pointer", "buffer", "buffer", "buffer", "buffer", "int"],
  PKCS8_PRIV_KEY_INFO_free: ["void", "pointer"],
  PKCS8_decrypt: ["pointer", "pointer", "buffer", "int"],
  PKCS8_pkey_get0: ["int", "buffer", "buffer", "buffer", "buffer", "pointer"],
  X509_ALGOR_get0: ["void", "buffer", "buffer", "buffer", "pointer"],
  X509_SIG_free: ["void", "pointer"],
  d2i_ECPrivateKey: ["pointer", "buffer", "buffer", "size"],
  d2i_PKCS8_PRIV_KEY_INFO: ["pointer", "pointer", "buffer", "size"],
  d2i_RSAPrivateKey: ["pointer", "pointer", "buffer", "size"],
  d2i_X509_SIG: ["pointer", "pointer", "buffer", "size"],
  i2d_PUBKEY: ["int", "pointer", "buffer"],

  // keys
  EC_KEY_free: ["void", "pointer"],
  EC_KEY_get0_group: ["pointer", "pointer"],
  EC_KEY_get0_private_key: ["pointer", "pointer"],
  EC_KEY_get0_public_key: ["pointer", "pointer"],
  EC_KEY_new: ["pointer"],
  EC_KEY_new_by_curve_name: ["pointer", "int"],
  EC_KEY_oct2priv: ["int", "pointer", "pointer", "size"],
  EC_KEY_priv2oct: ["size", "pointer", "pointer", "size"],
  EC_KEY_set_conv_form: ["void", "pointer", "int"],
  EC_KEY_set_group: ["int", "pointer", "pointer"],
  EC_KEY_set_private_key: ["int", "pointer", "pointer"],
  EVP_PKEY_assign: ["int", "pointer", "int", "pointer"],
  EVP_PKEY_free: ["void", "pointer"],
  EVP_PKEY_get0_EC_KEY: ["pointer", "pointer"],
  EVP_PKEY_get0_RSA: ["pointer", "pointer"],
  EVP_PKEY_new: ["pointer"],
  EVP_PKEY_new_raw_private_key: ["pointer", "int", "pointer", "pointer", "size"],
  RSA_get0_crt_params: ["void", "pointer", "buffer", "buffer", "buffer"],
  RSA_get0_factors: ["void", "pointer", "buffer", "buffer"],
  RSA_get0_key: ["void", "pointer", "buffer", "buffer", "buffer"],
  RSA_get_multi_prime_extra_count: ["int", "pointer"],

  // arithmetic on them
  BN_CTX_free: ["void", "pointer"],
  BN_CTX_secure_new: ["pointer"],
  BN_clear_free: ["void", "pointer"],
  BN_cmp: ["int", "pointer", "pointer"],
  BN_copy: ["pointer", "pointer", "pointer"],
  BN_is_one: ["int", "pointer"],
  BN_mod_mul: ["int", "pointer", "pointer", "pointer", "pointer", "pointer"],
  BN_mul: ["int", "pointer", "pointer", "pointer", "pointer"],
  BN_new: ["pointer"],
  BN_sub_word: ["int", "pointer", "size"],
  EC_GROUP_get0_order: ["pointer", "pointer"],
  EC_GROUP_get_curve_name: ["int", "pointer"],
  EC_POINT_cmp: ["int", "pointer", "pointer", "pointer", "pointer"],
  EC_POINT_free: ["void", "pointer"],
  EC_POINT_mul: ["int", "pointer", "pointer", "pointer", "pointer", "pointer", "pointer"],
  EC_POINT_new: ["pointer", "pointer"],

  // signing
  ECDSA_sign: ["int", "int", "buffer", "int", "buffer", "buffer", "pointer"],
  EVP_DigestSign: ["int", "pointer", "buffer", "buffer", "buffer", "size"],
  EVP_DigestSignInit: ["int", "pointer", "pointer", "pointer", "pointer", "pointer"],
  EVP_MD_CTX_free: ["void", "pointer"],
  EVP_MD_CTX_new: ["pointer"],
  EVP_MD_get_type: ["int", "pointer"],
  EVP_get_digestbyname: ["pointer", "buffer"],
  RSA_padding_add_PKCS1_PSS_mgf1: [
    "int",
    "pointer",
    "buffer",
    "buffer",
    "pointer",
    "pointer",
    "int",
  ],
  RSA_private_decrypt: ["int", "int", "buffer", "buffer", "pointer", "int"],
  RSA_private_encrypt: ["int", "int", "buffer", "buffer", "pointer", "int"],
  RSA_sign: ["int", "int", "buffer", "int", "buffer", "buffer", "pointer"],

  // verifying
  ECDSA_verify: ["int", "int", "buffer", "int", "buffer", "int", "pointer"],
  EVP_DigestVerify: ["int", "pointer", "buffer", "size", "buffer", "size"],
  EVP_DigestVerifyInit: ["int", "pointer", "pointer", "pointer", "pointer", "pointer"],
  RSA_public_decrypt: ["int", "int", "buffer", "buffer", "pointer", "int"],
  RSA_size: ["int", "pointer"],
  RSA_verify: ["int", "int", "buffer", "int", "buffer", "int", "pointer"],
  RSA_verify_PKCS1_PSS_mgf1: ["int", "pointer", "buffer", "pointer", "pointer", "buffer", "int"],
  d2i_PUBKEY_bio: ["pointer", "pointer", "pointer"],
} as const satisfies SymbolTable;
