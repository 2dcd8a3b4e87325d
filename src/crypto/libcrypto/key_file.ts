import { Buffer } from "node:buffer";
import { readCString } from "../../runtime/ffi.ts";
import type { Libcrypto } from "../../runtime/libcrypto.ts";
import {
  emptyKeyFile,
  keyFileTooLong,
  MAX_KEY_FILE_BYTES,
  noPrivateKey,
  OPENSSH_LABEL,
  opensshKey,
  passphraseMissing,
  passphraseWrong,
} from "../key_errors.ts";
import { reasonOf, takeErrors } from "./errors.ts";

/** The structures that hold a private key in DER. */
export type DerKind = "pkcs8" | "encrypted-pkcs8" | "pkcs1" | "sec1";

/** DER in native memory, which outlives only the callback that it was handed to. */
export interface DerBlock {
  readonly pointer: number;
  readonly lengthBytes: number;
  /** What it may be: one kind if PEM said it, all of them if it is a bare DER file. */
  readonly kinds: readonly DerKind[];
  /** It was decrypted on the way: if it makes no sense, the passphrase was wrong. */
  readonly wasEncrypted: boolean;
}

/**
 * Takes a key file apart down to DER, hands that to `use`, and cleanses the copies that it made.
 *
 * In PEM, text and blocks that are no private key are skipped, and the first private key counts.
 * Legacy PEM encryption (Proc-Type: 4,ENCRYPTED) is undone here; that of PKCS#8 is left to `use`.
 *
 * @param passphrase ends with a zero byte; undefined where there is none
 * @throws KeylessError "KEY_FORMAT", "KEY_PASSPHRASE", "KEY_UNSUPPORTED"
 */
export function withKeyDer<Result>(
  libcrypto: Libcrypto,
  bytes: Uint8Array,
  passphrase: Uint8Array | undefined,
  use: (block: DerBlock) => Result,
): Result {
  if (bytes.length === 0) throw emptyKeyFile();
  if (bytes.length > MAX_KEY_FILE_BYTES) throw keyFileTooLong();
  // a memory BIO cleanses its copy when it is freed
  const bio = libcrypto.BIO_new(libcrypto.BIO_s_mem());
  try {
    libcrypto.BIO_write(bio, bytes, bytes.length);
    if (isPem(bytes)) return withPem(libcrypto, bio, passphrase, use);
    const pointer = out();
    const lengthBytes = libcrypto.BIO_ctrl(bio, BIO_CTRL_INFO, 0, pointer);
    const wasEncrypted = false;
    return use({ pointer: Number(pointer[0]), lengthBytes, kinds: DER_KINDS, wasEncrypted });
  } finally {
    libcrypto.BIO_free(bio);
  }
}

function isPem(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes("-----BEGIN ");
}

/** Reads blocks until one is a private key. */
function withPem<Result>(
  libcrypto: Libcrypto,
  bio: number,
  passphrase: Uint8Array | undefined,
  use: (block: DerBlock) => Result,
): Result {
  const skipped: string[] = [];
  while (true) {
    const block = readBlock(libcrypto, bio);
    if (block === undefined) throw noPrivateKey(whyNone(skipped, takeErrors(libcrypto)));
    try {
      const kind = kindOf(block.label);
      if (kind === undefined) {
        skipped.push(block.label);
        continue;
      }
      return use({ ...decryptLegacy(libcrypto, block, passphrase), kinds: [kind] });
    } finally {
      libcrypto.CRYPTO_free(block.name, 0, 0);
      libcrypto.CRYPTO_free(block.header, 0, 0);
      libcrypto.CRYPTO_secure_clear_free(block.data, block.lengthBytes, 0, 0);
    }
  }
}

/** A block of PEM as OpenSSL allocated it. */
interface PemBlock {
  readonly label: string;
  readonly name: number;
  readonly header: number;
  readonly data: number;
  readonly lengthBytes: number;
}

function readBlock(libcrypto: Libcrypto, bio: number): PemBlock | undefined {
  const [name, header, data, length] = [out(), out(), out(), out()];
  const flags = PEM_FLAG_SECURE | PEM_FLAG_EAY_COMPATIBLE;
  if (libcrypto.PEM_read_bio_ex(bio, name, header, data, length, flags) !== 1) return undefined;
  return {
    label: readCString(Number(name[0])),
    name: Number(name[0]),
    header: Number(header[0]),
    data: Number(data[0]),
    lengthBytes: Number(length[0]),
  };
}

function kindOf(label: string): DerKind | undefined {
  if (label === OPENSSH_LABEL) throw opensshKey();
  return PEM_KINDS.get(label);
}

/** Decrypts in place where the block's header asks for it. */
function decryptLegacy(
  libcrypto: Libcrypto,
  block: PemBlock,
  passphrase: Uint8Array | undefined,
): Omit<DerBlock, "kinds"> {
  const { data: pointer, lengthBytes } = block;
  const cipher = new Uint8Array(CIPHER_INFO_BYTES);
  if (libcrypto.PEM_get_EVP_CIPHER_INFO(block.header, cipher) !== 1) {
    const reason = takeErrors(libcrypto).map(reasonOf).join(", ");
    throw noPrivateKey(`the header of its encryption is not understood (${reason})`);
  }
  const wasEncrypted = cipher.some((byte) => byte !== 0);
  if (!wasEncrypted) return { pointer, lengthBytes, wasEncrypted };
  // without one, OpenSSL would ask at the terminal, and block
  if (passphrase === undefined) throw passphraseMissing();
  const length = new BigUint64Array([BigInt(lengthBytes)]);
  if (libcrypto.PEM_do_header(cipher, pointer, length, 0, passphrase) !== 1) {
    throw passphraseWrong();
  }
  return { pointer, lengthBytes: Number(length[0]), wasEncrypted };
}

function whyNone(skipped: readonly string[], errors: readonly string[]): string {
  const reasons = errors.filter((text) => !text.endsWith("no start line"));
  if (reasons[0] !== undefined) return `its PEM is damaged (${reasonOf(reasons[0])})`;
  const shown = skipped.filter((label) => /^[A-Z0-9 ]{1,40}$/.test(label));
  return shown.length > 0 ? `it holds ${shown.join(", ")}` : "no PEM block in it";
}

function out(): BigUint64Array {
  return new BigUint64Array(1);
}

const PEM_KINDS: ReadonlyMap<string, DerKind> = new Map([
  ["PRIVATE KEY", "pkcs8"],
  ["ENCRYPTED PRIVATE KEY", "encrypted-pkcs8"],
  ["RSA PRIVATE KEY", "pkcs1"],
  ["EC PRIVATE KEY", "sec1"],
]);

const DER_KINDS: readonly DerKind[] = ["pkcs8", "encrypted-pkcs8", "pkcs1", "sec1"];

// bio.h, pem.h, evp.h
const BIO_CTRL_INFO = 3;
const PEM_FLAG_SECURE = 0x1;
const PEM_FLAG_EAY_COMPATIBLE = 0x2;
/** A pointer to the cipher, and an initialisation vector of 16 bytes. */
const CIPHER_INFO_BYTES = 24;
