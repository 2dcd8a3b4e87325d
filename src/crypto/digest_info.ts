import type { Hash } from "./scheme.ts";

/**
 * What stands before the digest in a PKCS#1 v1.5 signature: DigestInfo in DER up to the digest, in
 * hexadecimal. MD5 with SHA-1 has none: TLS 1.0 signs the 36 bytes as they are.
 *
 * Source: RFC 8017 section 9.2 note 1; RFC 4346 section 7.4.3.
 */
export const DIGEST_INFO_PREFIXES: Readonly<Record<Hash, string>> = {
  "md5-sha1": "",
  "sha1": "3021300906052b0e03021a05000414",
  "sha224": "302d300d06096086480165030402040500041c",
  "sha256": "3031300d060960864801650304020105000420",
  "sha384": "3041300d060960864801650304020205000430",
  "sha512": "3051300d060960864801650304020305000440",
};
