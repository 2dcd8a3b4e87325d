import { readCString, readMemory } from "../../runtime/ffi.ts";
import type { Libcrypto } from "../../runtime/libcrypto.ts";
import {
  DAMAGED_PEM,
  encryptionUnsupported,
  inconsistentKey,
  NEITHER_PEM_NOR_DER,
  noPrivateKey,
  passphraseMissing,
  passphraseWrong,
} from "../key_errors.ts";
import { unsupportedKey } from "../public_key.ts";
import { reasonOf, takeErrors } from "./errors.ts";
import type { EcKeys } from "./ec_keys.ts";
import type { DerBlock, DerKind } from "./key_file.ts";

/**
 * Parses the DER of a private key.
 *
 * OpenSSL's own way in (OSSL_DECODER) takes about 340 µs a key, because it tries every format; this
 * one, by the structure's own functions, takes a tenth of it.
 *
 * @param passphrase ends with a zero byte; undefined where there is none
 * @returns an `EVP_PKEY *`, owned by the caller
 * @throws KeylessError "KEY_FORMAT", "KEY_PASSPHRASE", "KEY_UNSUPPORTED"
 */
export function parsePrivateKey(
  libcrypto: Libcrypto,
  ecKeys: EcKeys,
  block: DerBlock,
  passphrase: Uint8Array | undefined,
): number {
  for (const kind of block.kinds) {
    const source = new DerSource(block.pointer, block.lengthBytes);
    const pkey = PARSERS[kind](libcrypto, ecKeys, source, passphrase);
    if (pkey !== 0) return wholly(libcrypto, source, pkey);
  }
  if (block.wasEncrypted) throw passphraseWrong();
  takeErrors(libcrypto); // they name places in OpenSSL, not in the file
  throw noPrivateKey(block.kinds.length > 1 ? NEITHER_PEM_NOR_DER : DAMAGED_PEM);
}

/** The pointer that OpenSSL's parsers take and move past what they have read. */
class DerSource {
  readonly at: BigUint64Array;
  readonly lengthBytes: number;
  readonly #end: bigint;

  constructor(pointer: number, lengthBytes: number) {
    this.at = new BigUint64Array([BigInt(pointer)]);
    this.lengthBytes = lengthBytes;
    this.#end = BigInt(pointer + lengthBytes);
  }

  get isRead(): boolean {
    return this.at[0] === this.#end;
  }
}

/** Each gives an `EVP_PKEY *`, or 0 where the DER is not of its kind. */
const PARSERS: Readonly<Record<DerKind, Parser>> = {
  "pkcs8": (libcrypto, ecKeys, { at, lengthBytes }) => {
    const info = libcrypto.d2i_PKCS8_PRIV_KEY_INFO(0, at, lengthBytes);
    return info === 0 ? 0 : fromPkcs8(libcrypto, ecKeys, info);
  },
  "encrypted-pkcs8": (libcrypto, ecKeys, { at, lengthBytes }, passphrase) => {
    const encrypted = libcrypto.d2i_X509_SIG(0, at, lengthBytes);
    if (encrypted === 0) return 0;
    try {
      return fromPkcs8(libcrypto, ecKeys, decryptPkcs8(libcrypto, encrypted, passphrase));
    } finally {
      libcrypto.X509_SIG_free(encrypted);
    }
  },
  "pkcs1": (libcrypto, _ecKeys, source) => rsaKey(libcrypto, source),
  "sec1": (libcrypto, _ecKeys, { at, lengthBytes }) => {
    const key = libcrypto.d2i_ECPrivateKey(null, at, lengthBytes);
    return key === 0 ? 0 : assignEc(libcrypto, key);
  },
};

type Parser = (
  libcrypto: Libcrypto,
  ecKeys: EcKeys,
  source: DerSource,
  passphrase: Uint8Array | undefined,
) => number;

function decryptPkcs8(
  libcrypto: Libcrypto,
  encrypted: number,
  passphrase: Uint8Array | undefined,
): number {
  if (passphrase === undefined) throw passphraseMissing();
  const info = libcrypto.PKCS8_decrypt(encrypted, passphrase, passphrase.length - 1);
  if (info !== 0) return info;
  const why = takeErrors(libcrypto).find((text) => UNSUPPORTED.test(text));
  if (why === undefined) throw passphraseWrong();
  throw encryptionUnsupported(`OpenSSL (${reasonOf(why)})`);
}

/** Takes a `PKCS8_PRIV_KEY_INFO *` over, which cleanses its key when it is freed. */
function fromPkcs8(libcrypto: Libcrypto, ecKeys: EcKeys, info: number): number {
  try {
    const [oid, key, length, algorithm] = [out(), out(), out(), out()];
    if (libcrypto.PKCS8_pkey_get0(oid, key, length, algorithm, info) !== 1) return 0;
    const source = new DerSource(Number(key[0]), Number(length[0]));
    const nid = libcrypto.OBJ_obj2nid(Number(oid[0]));
    switch (nid) {
      case NID.rsa:
        return wholly(libcrypto, source, rsaKey(libcrypto, source));
      case NID.ec: {
        const curve = curveNid(libcrypto, Number(algorithm[0]));
        return wholly(libcrypto, source, ecKey(libcrypto, ecKeys, source, curve));
      }
      case NID.ed25519:
        return ed25519Key(libcrypto, Number(key[0]), Number(length[0]));
      default:
        throw unsupportedKey(`a key of kind ${readCString(libcrypto.OBJ_nid2sn(nid))}`);
    }
  } finally {
    libcrypto.PKCS8_PRIV_KEY_INFO_free(info);
  }
}

/** The key, if its DER was read to the end; 0 stays 0. */
function wholly(libcrypto: Libcrypto, source: DerSource, pkey: number): number {
  if (pkey === 0 || source.isRead) return pkey;
  libcrypto.EVP_PKEY_free(pkey);
  throw noPrivateKey("bytes are left over behind the key");
}

function rsaKey(libcrypto: Libcrypto, { at, lengthBytes }: DerSource): number {
  const key = libcrypto.d2i_RSAPrivateKey(0, at, lengthBytes);
  return key === 0 ? 0 : assign(libcrypto, NID.rsa, key);
}

/** The key on the curve that PKCS#8 names; the inner structure may name it again, or not. */
function ecKey(
  libcrypto: Libcrypto,
  ecKeys: EcKeys,
  { at, lengthBytes }: DerSource,
  nid: number,
): number {
  const key = ecKeys.create(nid);
  if (key === 0) throw unsupportedKey("an EC key on another curve");
  if (libcrypto.d2i_ECPrivateKey(new BigUint64Array([BigInt(key)]), at, lengthBytes) === 0) {
    libcrypto.EC_KEY_free(key);
    return 0;
  }
  if (libcrypto.EC_GROUP_get_curve_name(libcrypto.EC_KEY_get0_group(key)) !== nid) {
    libcrypto.EC_KEY_free(key);
    throw inconsistentKey("it names two curves");
  }
  return assignEc(libcrypto, key);
}

/** The SKI is of the uncompressed point, as certificates carry it, however the file writes it. */
function assignEc(libcrypto: Libcrypto, key: number): number {
  libcrypto.EC_KEY_set_conv_form(key, POINT_CONVERSION_UNCOMPRESSED);
  return assign(libcrypto, NID.ec, key);
}

function curveNid(libcrypto: Libcrypto, algorithm: number): number {
  const [oid, type, value] = [out(), out(), out()];
  libcrypto.X509_ALGOR_get0(oid, type, value, algorithm);
  if (Number(type[0]) !== V_ASN1_OBJECT) {
    throw unsupportedKey("an EC key whose curve is spelled out instead of named");
  }
  return libcrypto.OBJ_obj2nid(Number(value[0]));
}

/** RFC 8410 section 7: an OCTET STRING inside the one of PKCS#8. */
function ed25519Key(libcrypto: Libcrypto, pointer: number, lengthBytes: number): number {
  if (lengthBytes !== ED25519_HEADER.length + ED25519_BYTES) return 0;
  const header = readMemory(pointer, ED25519_HEADER.length);
  if (!header.every((byte, index) => byte === ED25519_HEADER[index])) return 0;
  const seed = pointer + ED25519_HEADER.length;
  return libcrypto.EVP_PKEY_new_raw_private_key(NID.ed25519, 0, seed, ED25519_BYTES);
}

/** Takes the key over. */
function assign(libcrypto: Libcrypto, nid: number, key: number): number {
  const pkey = libcrypto.EVP_PKEY_new();
  libcrypto.EVP_PKEY_assign(pkey, nid, key);
  return pkey;
}

function out(): BigUint64Array {
  return new BigUint64Array(1);
}

// obj_mac.h, asn1.h, ec.h
const NID = { rsa: 6, ec: 408, ed25519: 1087 } as const;
const V_ASN1_OBJECT = 6;
const POINT_CONVERSION_UNCOMPRESSED = 4;

/** Of OpenSSL's reasons those that a right passphrase would not mend. */
const UNSUPPORTED = /unsupported|unknown (?:pbe|cipher|digest)|memory limit/;

const ED25519_BYTES = 32;
const ED25519_HEADER = [0x04, 0x20];
