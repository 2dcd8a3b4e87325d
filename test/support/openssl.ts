import { Buffer } from "node:buffer";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";
import { type Scheme, SCHEMES, type SignScheme } from "../../src/crypto/scheme.ts";
import { makeTempDir } from "./temp_dir.ts";

/**
 * Runs the `openssl` command and gives its standard output. The system's authorities are kept from
 * it: `openssl x509` reads all of them whatever it does, for 20 ms.
 *
 * @throws Error with what it wrote to standard error where it exits with another code than 0
 */
export function openssl(args: readonly string[], input: Uint8Array = EMPTY): Uint8Array {
  const env = { ...process.env, SSL_CERT_FILE: "/dev/null" };
  return new Uint8Array(execFileSync("openssl", args, { input, env, stdio: "pipe" }));
}

/** The kinds of keys that tests are made with. */
export const KEY_KINDS = {
  "RSA 1024": () => rsa(1024),
  "RSA 2048": () => rsa(2048),
  // whole bytes and one bit: encoded PSS messages are a byte shorter than the modulus
  "RSA 2049": () => rsaOfPrimes(1025, 1024),
  "RSA 3072": () => rsa(3072),
  "RSA 4096": () => rsa(4096),
  "RSA 3-prime": () => rsa(2048, "-pkeyopt", "rsa_keygen_primes:3"),
  "P-224": () => ec("P-224"),
  "P-256": () => ec("P-256"),
  "P-384": () => ec("P-384"),
  "P-521": () => ec("P-521"),
  "Ed25519": () => genpkey("-algorithm", "ED25519"),
} as const satisfies Record<string, () => Uint8Array>;

export type KeyKind = keyof typeof KEY_KINDS;

/** A new private key: PKCS#8 in PEM. */
export function makeKey(kind: KeyKind): Uint8Array {
  return KEY_KINDS[kind]();
}

/** A new private key by the options of `openssl genpkey`: PKCS#8 in PEM. */
export function genpkey(...options: string[]): Uint8Array {
  return openssl(["genpkey", "-quiet", ...options]);
}

/** The same key of a kind each time, made once a process. */
export function keyOf(kind: KeyKind): Uint8Array {
  const key = KEYS.get(kind) ?? makeKey(kind);
  KEYS.set(kind, key);
  return key;
}

export function publicKeyOf(key: Uint8Array): Uint8Array {
  return openssl(["pkey", "-pubout", "-outform", "DER"], key);
}

/** What opens the encrypted encodings. */
export const PASSPHRASE = new TextEncoder().encode("correct horse");

/** Options of `openssl` commands that encrypt with it. */
export const PASSOUT = ["-passout", `pass:${new TextDecoder().decode(PASSPHRASE)}`];

/** How a key file may be written; each takes PKCS#8 in PEM. */
export const ENCODINGS = {
  "PKCS#8 PEM": (key) => key,
  "PKCS#8 DER": (key) => pkcs8(key, "-nocrypt", "-outform", "DER"),
  "traditional PEM": (key) => traditional(key),
  "traditional DER": (key) => traditional(key, "-outform", "DER"),
  "PBES2 AES-256 PEM": (key) => pkcs8(key, "-v2", "aes256", ...PASSOUT),
  "PBES2 AES-256 DER": (key) => pkcs8(key, "-v2", "aes256", "-outform", "DER", ...PASSOUT),
  "PBES2 3DES PEM": (key) => pkcs8(key, "-v2", "des3", ...PASSOUT),
  "PBES1 3DES PEM": (key) => pkcs8(key, "-v1", "PBE-SHA1-3DES", ...PASSOUT),
  "scrypt PEM": (key) => pkcs8(key, "-scrypt", ...PASSOUT),
  "legacy encrypted PEM": (key) => traditional(key, "-aes256", ...PASSOUT),
} as const satisfies Record<string, (key: Uint8Array) => Uint8Array>;

export type Encoding = keyof typeof ENCODINGS;

/** Whether openssl accepts a signature over a ready digest (Ed25519: over the message). */
export function opensslVerifies(
  spki: Uint8Array,
  scheme: SignScheme,
  bytes: Uint8Array,
  signature: Uint8Array,
): boolean {
  const dir = makeTempDir();
  try {
    openssl([
      ...["pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", dir.write("key", spki)],
      ...["-in", dir.write("in", bytes), "-sigfile", dir.write("sig", signature)],
      ...verifyOptions(scheme),
    ]);
    return true;
  } catch {
    return false;
  } finally {
    dir.remove();
  }
}

function verifyOptions(scheme: Scheme): string[] {
  const { keyType, padding, hash } = SCHEMES[scheme];
  if (keyType === "ed25519") return ["-rawin"];
  if (keyType === "ec") return [];
  const mode = padding === "pss" ? ["rsa_padding_mode:pss", "rsa_pss_saltlen:digest"] : [];
  return [...mode, `digest:${hash}`].flatMap((option) => ["-pkeyopt", option]);
}

function pkcs8(key: Uint8Array, ...args: string[]): Uint8Array {
  return openssl(["pkcs8", "-topk8", ...args], key);
}

/** PKCS#1 or SEC1. */
function traditional(key: Uint8Array, ...args: string[]): Uint8Array {
  const type = openssl(["pkey", "-noout", "-text"], key);
  return Buffer.from(type).includes("ASN1 OID")
    ? openssl(["ec", ...args], key)
    : openssl(["rsa", "-traditional", ...args], key);
}

/** PKCS#1 of any numbers, in the order of the structure, from n on: DER. */
export function rsaDer(numbers: readonly bigint[]): Uint8Array {
  const fields = [0n, ...numbers].map((value, index) => `${index}=INT:0x${value.toString(16)}`);
  const dir = makeTempDir();
  try {
    const config = dir.write("conf", ["asn1=SEQUENCE:key", "[key]", ...fields].join("\n"));
    openssl(["asn1parse", "-genconf", config, "-noout", "-out", dir.at("der")]);
    return readFileSync(dir.at("der"));
  } finally {
    dir.remove();
  }
}

function rsa(bits: number, ...options: string[]): Uint8Array {
  return genpkey("-algorithm", "RSA", "-pkeyopt", `rsa_keygen_bits:${bits}`, ...options);
}

function ec(curve: string): Uint8Array {
  return genpkey("-algorithm", "EC", "-pkeyopt", `ec_paramgen_curve:${curve}`);
}

/** A key whose modulus has as many bits as both primes together: `openssl genpkey` makes none of odd size. */
export function rsaOfPrimes(pBits: number, qBits: number): Uint8Array {
  return rsaOf(prime(pBits), prime(qBits)) ?? rsaOfPrimes(pBits, qBits);
}

/**
 * A key of 2048 bits that loads and signs, but what it signs does not verify: its first prime is a
 * product of two, and whether primes are prime takes too long to be checked.
 */
export function rsaOfComposite(): Uint8Array {
  for (;;) {
    const [p, q] = [prime(512) * prime(512), prime(1024)];
    const key = (p * q) >> 2_047n === 1n ? rsaOf(p, q) : undefined; // some have 2047 bits
    if (key !== undefined) return key;
  }
}

function prime(bits: number): bigint {
  const digits = openssl(["prime", "-generate", "-hex", "-bits", `${bits}`]);
  return BigInt(`0x${new TextDecoder().decode(digits).trim()}`);
}

/** Undefined where the usual exponent does not fit. */
function rsaOf(p: bigint, q: bigint): Uint8Array | undefined {
  const e = 65_537n;
  const order = (p - 1n) * (q - 1n);
  if (order % e === 0n) return undefined;
  const d = inverse(e, order);
  const der = rsaDer([p * q, e, d, p, q, d % (p - 1n), d % (q - 1n), inverse(q, p)]);
  return openssl(["pkey", "-inform", "DER"], der);
}

/** By the extended algorithm of Euclid. */
function inverse(value: bigint, modulus: bigint): bigint {
  let [a, b, x, y] = [value % modulus, modulus, 1n, 0n];
  while (a > 1n) [a, b, x, y] = [b % a, a, y - (b / a) * x, x];
  return ((x % modulus) + modulus) % modulus;
}

const KEYS = new Map<KeyKind, Uint8Array>();
const EMPTY = new Uint8Array(0);
