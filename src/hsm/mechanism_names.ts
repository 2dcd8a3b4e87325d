/**
 * The name that PKCS#11 gives to a mechanism: "CKM_ECDSA". A vendor's own is told by how far it is
 * above CKM_VENDOR_DEFINED, one without a known name by its number.
 *
 * @param known as graphene names it, without the prefix; "unknown" where it does not
 */
export function mechanismName(type: number, known: string): string {
  if (known !== "unknown") return `CKM_${known}`;
  const later = LATER_NAMES.get(type);
  if (later !== undefined) return later;
  return type >= VENDOR_DEFINED
    ? `CKM_VENDOR_DEFINED+0x${(type - VENDOR_DEFINED).toString(16)}`
    : `0x${type.toString(16)}`;
}

/** What a mechanism does, in words, by the flags of CK_MECHANISM_INFO: pkcs11t.h. */
export const MECHANISM_USES: ReadonlyMap<number, string> = new Map([
  [0x800, "sign"],
  [0x2000, "verify"],
  [0x100, "encrypt"],
  [0x200, "decrypt"],
  [0x400, "digest"],
  [0x8000, "generate"],
  [0x1_0000, "generate pair"],
  [0x2_0000, "wrap"],
  [0x4_0000, "unwrap"],
  [0x8_0000, "derive"],
]);

/** Since PKCS #11 3.0, which the packages do not know: mechanisms 3.0, sections 2.3.5 to 2.3.14. */
const LATER_NAMES: ReadonlyMap<number, string> = new Map([
  [0x1055, "CKM_EC_EDWARDS_KEY_PAIR_GEN"],
  [0x1056, "CKM_EC_MONTGOMERY_KEY_PAIR_GEN"],
  [0x1057, "CKM_EDDSA"],
  [0x1058, "CKM_XEDDSA"],
]);

const VENDOR_DEFINED = 0x8000_0000;
