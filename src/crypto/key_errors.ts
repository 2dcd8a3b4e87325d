/** What both engines say of key files that they cannot load. */
import { KeylessError } from "../errors/errors.ts";

export function noPrivateKey(why: string): KeylessError {
  return new KeylessError("KEY_FORMAT", `no private key that can be read: ${why}; ${FORMATS}`);
}

export function emptyKeyFile(): KeylessError {
  return noPrivateKey("it is empty");
}

export function keyFileTooLong(): KeylessError {
  return noPrivateKey(`it is longer than ${MAX_KEY_FILE_BYTES} bytes`);
}

/** Reasons for `noPrivateKey`. */
export const NEITHER_PEM_NOR_DER = "it is neither PEM nor DER of one";
export const DAMAGED_PEM = "what its PEM block holds is damaged, or something else";

/** The parts of a key contradict each other. */
export function inconsistentKey(why: string, cause?: unknown): KeylessError {
  return new KeylessError("KEY_FORMAT", `the private key is damaged: ${why}; restore the file`, {
    cause,
  });
}

export function passphraseMissing(): KeylessError {
  return new KeylessError(
    "KEY_PASSPHRASE",
    "the private key is encrypted; give its passphrase by --passphrase-file or the environment " +
      "variable KEYLESS_PASSPHRASE",
  );
}

export function passphraseWrong(): KeylessError {
  return new KeylessError(
    "KEY_PASSPHRASE",
    "the passphrase does not open the private key; check --passphrase-file or KEYLESS_PASSPHRASE",
  );
}

/** For a library that does not tell the two apart. */
export function passphraseWrongOr(where: string): KeylessError {
  return new KeylessError(
    "KEY_PASSPHRASE",
    `the passphrase does not open the private key, or its encryption is not supported by ` +
      `${where}; check --passphrase-file or KEYLESS_PASSPHRASE, or encrypt the key anew: ${ENCRYPT_ANEW}`,
  );
}

/** A right passphrase would not mend it. */
export function encryptionUnsupported(where: string): KeylessError {
  return new KeylessError(
    "KEY_UNSUPPORTED",
    `the private key's encryption is not supported by ${where}; encrypt it anew: ${ENCRYPT_ANEW}`,
  );
}

/** Keys in OpenSSH's own format, which PEM labels apart. */
export function opensshKey(): KeylessError {
  return new KeylessError(
    "KEY_UNSUPPORTED",
    "keys in OpenSSH's own format are not supported; convert it: ssh-keygen -p -m PKCS8 -f FILE",
  );
}

/** Room for the largest key, and for text and certificates before it. */
export const MAX_KEY_FILE_BYTES = 1_048_576;

export const OPENSSH_LABEL = "OPENSSH PRIVATE KEY";

const FORMATS = "wanted is PEM or DER of PKCS#8, PKCS#1 or SEC1";
const ENCRYPT_ANEW = "openssl pkcs8 -topk8 -v2 aes256 -in FILE -out NEW";
