import { readMemory } from "../../runtime/ffi.ts";
import type { Libcrypto } from "../../runtime/libcrypto.ts";

/**
 * What one of OpenSSL's `i2d_` functions writes, copied out of the memory that it allocates.
 *
 * @param write calls it with the place for that memory's address; gives the length, or a number
 *   that is not above 0 where it fails
 * @returns undefined where it fails
 */
export function encodeDer(
  libcrypto: Libcrypto,
  write: (out: BigUint64Array) => number,
): Uint8Array | undefined {
  const out = new BigUint64Array(1);
  const lengthBytes = write(out);
  if (lengthBytes <= 0) return undefined;
  const der = readMemory(Number(out[0]), lengthBytes);
  libcrypto.CRYPTO_free(Number(out[0]), 0, 0);
  return der;
}

/** Lets one of OpenSSL's `d2i_…_bio` functions read bytes; its copy of them is cleansed. */
export function withBio<Result>(
  libcrypto: Libcrypto,
  bytes: Uint8Array,
  read: (bio: number) => Result,
): Result {
  const bio = libcrypto.BIO_new(libcrypto.BIO_s_mem());
  try {
    libcrypto.BIO_write(bio, bytes, bytes.length);
    return read(bio);
  } finally {
    libcrypto.BIO_free(bio);
  }
}
