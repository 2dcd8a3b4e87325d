import type { Functions, SymbolTable } from "./ffi.ts";
import { type Libcrypto, LIBCRYPTO_PATHS, missingLibcrypto, openLibcrypto } from "./libcrypto.ts";
import { findLibrary } from "./system_library.ts";

/** libcrypto with its functions for certificates, which a server does not need. */
export type X509Library = Libcrypto & Functions<typeof SYMBOLS>;

/**
 * Opens OpenSSL 3 with them.
 *
 * @param paths as of `openLibcrypto`
 * @throws KeylessError "ENGINE_MISSING", with what was tried
 */
export function openX509Library(paths: readonly string[] = LIBCRYPTO_PATHS): X509Library {
  const libcrypto = openLibcrypto(paths);
  const found = findLibrary(paths, SYMBOLS);
  if (found.path === undefined) throw missingLibcrypto(`looked at ${found.tried.join(", ")}`);
  return { ...libcrypto, ...found.functions };
}

/** As the table of `openLibcrypto`: all are in 3.0, none is variadic or a macro. */
const SYMBOLS = {
  // stacks
  OPENSSL_sk_free: ["void", "pointer"],
  OPENSSL_sk_new_null: ["pointer"],
  OPENSSL_sk_num: ["int", "pointer"],
  OPENSSL_sk_push: ["int", "pointer", "pointer"],
  OPENSSL_sk_value: ["pointer", "pointer", "int"],

  // certificates
  X509_free: ["void", "pointer"],
  X509_verify_cert_error_string: ["pointer", "size"],
  d2i_X509_bio: ["pointer", "pointer", "pointer"],
  i2d_X509: ["int", "pointer", "buffer"],

  // PKCS#12
  OSSL_PROVIDER_try_load: ["pointer", "pointer", "buffer", "int"],
  PKCS12_free: ["void", "pointer"],
  PKCS12_parse: ["int", "pointer", "buffer", "buffer", "buffer", "buffer"],
  d2i_PKCS12_bio: ["pointer", "pointer", "pointer"],

  // chains
  X509_STORE_CTX_free: ["void", "pointer"],
  X509_STORE_CTX_get0_chain: ["pointer", "pointer"],
  X509_STORE_CTX_get0_param: ["pointer", "pointer"],
  X509_STORE_CTX_get_current_cert: ["pointer", "pointer"],
  X509_STORE_CTX_get_error: ["int", "pointer"],
  X509_STORE_CTX_get_error_depth: ["int", "pointer"],
  X509_STORE_CTX_init: ["int", "pointer", "pointer", "pointer", "pointer"],
  X509_STORE_CTX_new: ["pointer"],
  X509_STORE_add_cert: ["int", "pointer", "pointer"],
  X509_STORE_free: ["void", "pointer"],
  X509_STORE_new: ["pointer"],
  X509_VERIFY_PARAM_set1_host: ["int", "pointer", "buffer", "size"],
  X509_VERIFY_PARAM_set1_ip_asc: ["int", "pointer", "buffer"],
  X509_VERIFY_PARAM_set_purpose: ["int", "pointer", "int"],
  X509_verify_cert: ["int", "pointer"],
} as const satisfies SymbolTable;
