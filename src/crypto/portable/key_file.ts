import { Buffer } from "node:buffer";
import { createPrivateKey, type KeyObject, type PrivateKeyInput } from "node:crypto";
import { type AsnType, fromBER, Integer, OctetString, Sequence } from "asn1js";
import { KeylessError, messageOf } from "../../errors/errors.ts";
import {
  emptyKeyFile,
  encryptionUnsupported,
  keyFileTooLong,
  MAX_KEY_FILE_BYTES,
  NEITHER_PEM_NOR_DER,
  noPrivateKey,
  OPENSSH_LABEL,
  opensshKey,
  passphraseMissing,
  passphraseWrongOr,
} from "../key_errors.ts";

/**
 * Reads a key file by node:crypto, in which the runtimes differ: Deno fails where a passphrase is
 * not needed, or where other blocks stand beside the key; Bun reads encryption by PBES1 and 3DES
 * but none by scrypt, and Deno the other way round. So the key is cut out, and its case is known,
 * before it is handed over. Neither reads RSA of more than two primes, nor says so.
 *
 * @param runtime for messages
 * @throws KeylessError "KEY_FORMAT", "KEY_PASSPHRASE", "KEY_UNSUPPORTED"
 */
export function readPrivateKey(
  bytes: Uint8Array,
  passphrase: Uint8Array | undefined,
  runtime: string,
): KeyObject {
  if (bytes.length === 0) throw emptyKeyFile();
  if (bytes.length > MAX_KEY_FILE_BYTES) throw keyFileTooLong();
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const { inputs, isEncrypted } = file.includes(BEGIN) ? fromPem(file) : fromDer(file);
  return isEncrypted ? readEncrypted(inputs[0]!, passphrase, runtime) : readPlain(inputs, runtime);
}

/** What node:crypto is to try, in turn. */
interface KeyCase {
  readonly inputs: readonly PrivateKeyInput[];
  readonly isEncrypted: boolean;
}

/** The first block that is a private key; text and other blocks are skipped. */
function fromPem(file: Buffer): KeyCase {
  for (let at = file.indexOf(BEGIN); at >= 0; at = file.indexOf(BEGIN, at + BEGIN.length)) {
    const label = LABELS.find((name) => isLine(file, at, `${BEGIN}${name}-----`));
    if (label === undefined) continue;
    if (label === OPENSSH_LABEL) throw opensshKey();
    const end = `-----END ${label}-----`;
    const endsAt = file.indexOf(end, at);
    if (endsAt < 0) throw noPrivateKey(`its PEM block does not end with ${end}`);
    const key = file.subarray(at, endsAt + end.length);
    const isEncrypted = label === ENCRYPTED_LABEL || key.includes(LEGACY_ENCRYPTION);
    return { inputs: [{ key, format: "pem" }], isEncrypted };
  }
  throw noPrivateKey("none of its PEM blocks is one");
}

/** Whether a line begins at an offset, and begins with a text. */
function isLine(file: Buffer, at: number, text: string): boolean {
  const isStart = at === 0 || file[at - 1] === 0x0a || file[at - 1] === 0x0d;
  return isStart && file.subarray(at, at + text.length).equals(Buffer.from(text));
}

/** Plain keys begin with their version; encrypted ones are an algorithm and a string. */
function fromDer(key: Buffer): KeyCase {
  const [first, second, ...more] = membersOf(key);
  const isEncrypted = first instanceof Sequence && second instanceof OctetString &&
    more.length === 0;
  if (!isEncrypted && !(first instanceof Integer)) throw noPrivateKey(NEITHER_PEM_NOR_DER);
  const types = isEncrypted ? ["pkcs8"] as const : ["pkcs8", "pkcs1", "sec1"] as const;
  return { inputs: types.map((type) => ({ key, format: "der", type })), isEncrypted };
}

/** What the one SEQUENCE in the bytes consists of. */
function membersOf(der: Buffer): readonly AsnType[] {
  try {
    const { result, offset } = fromBER(der);
    if (offset === der.length && result instanceof Sequence) return result.valueBlock.value;
  } catch { // asn1js throws errors of its own on some broken strings
  }
  throw noPrivateKey(NEITHER_PEM_NOR_DER);
}

function readPlain(inputs: readonly PrivateKeyInput[], runtime: string): KeyObject {
  let cause: unknown;
  for (const input of inputs) {
    try {
      return createPrivateKey(input);
    } catch (error) {
      cause = error;
    }
  }
  throw new KeylessError(
    "KEY_UNSUPPORTED",
    `node:crypto of ${runtime} cannot read the private key: it is damaged, or of a kind that the ` +
      "portable engine lacks, such as RSA of more than two primes; --crypto libcrypto can tell",
    { cause },
  );
}

function readEncrypted(
  input: PrivateKeyInput,
  passphrase: Uint8Array | undefined,
  runtime: string,
): KeyObject {
  if (passphrase === undefined) throw passphraseMissing();
  const copy = Buffer.from(passphrase);
  try {
    return createPrivateKey({ ...input, passphrase: copy });
  } catch (error) {
    const where = `node:crypto of ${runtime}`;
    throw BUN_UNSUPPORTED.test(messageOf(error))
      ? encryptionUnsupported(where)
      : passphraseWrongOr(where);
  } finally {
    copy.fill(0);
  }
}

const BEGIN = "-----BEGIN ";
const ENCRYPTED_LABEL = "ENCRYPTED PRIVATE KEY";
const LABELS = ["PRIVATE KEY", ENCRYPTED_LABEL, "RSA PRIVATE KEY", "EC PRIVATE KEY", OPENSSH_LABEL];
/** Deno's messages do not tell a wrong passphrase from an unknown encryption. */
const BUN_UNSUPPORTED = /OPENSSL_internal:UN(?:SUPPORTED|KNOWN)_/;
const LEGACY_ENCRYPTION = "Proc-Type: 4,ENCRYPTED";
