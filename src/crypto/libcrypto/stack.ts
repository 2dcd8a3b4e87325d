import type { X509Library } from "../../runtime/libcrypto_x509.ts";

/** The pointers of an OpenSSL stack, which still owns them; none of NULL. */
export function elementsOf(library: X509Library, stack: number): number[] {
  const count = Math.max(0, library.OPENSSL_sk_num(stack)); // -1 of NULL
  return Array.from({ length: count }, (_, index) => library.OPENSSL_sk_value(stack, index));
}
