import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createPublicKey } from "node:crypto";
import { after, describe, test } from "node:test";
import { fromHex, toHex } from "../../src/bytes/hex.ts";
import { CURVES } from "../../src/crypto/curves.ts";
import type { Engine, LoadedKey } from "../../src/crypto/engine.ts";
import { DIGEST_BYTES, type Scheme, SCHEMES, type SignScheme } from "../../src/crypto/scheme.ts";
import { selectEngine } from "../../src/crypto/select_engine.ts";
import { type KeyKind, keyOf, openssl, opensslVerifies, publicKeyOf } from "../support/openssl.ts";
import { makeTempDir } from "../support/temp_dir.ts";

const EC_KINDS = ["P-256", "P-384", "P-521"] as const;
const RSA_KINDS = ["RSA 1024", "RSA 2048", "RSA 2049", "RSA 3072", "RSA 4096"] as const;

/** Which kinds each engine can sign with. */
const KINDS: Readonly<Record<"libcrypto" | "portable", readonly KeyKind[]>> = {
  libcrypto: [...RSA_KINDS, "RSA 3-prime", "P-224", ...EC_KINDS, "Ed25519"],
  portable: [...RSA_KINDS, ...EC_KINDS, "Ed25519"],
};

/** Orders: SEC 2 version 2, sections 2.3 to 2.6. */
const EC_GROUPS = {
  "P-256": {
    lengthBytes: 32,
    parameters: CURVES["P-256"].parameters,
    order: 0xffffffff_00000000_ffffffff_ffffffff_bce6faad_a7179e84_f3b9cac2_fc632551n,
  },
  "P-521": {
    lengthBytes: 66,
    parameters: CURVES["P-521"].parameters,
    order: (1n << 521n) -
      0x5ae79787c40d069948033feb708f65a2fc44a36477663b851449048e16ec79bf7n,
  },
} as const;

for (const name of ["libcrypto", "portable"] as const) {
  const engine = selectEngine(name);
  for (const kind of KINDS[name]) {
    // loaded here and not in a hook: making a large key may outlast a test's time
    const key = engine.load(keyOf(kind), { allowWeak: true });
    describe(`${name} with ${kind}`, () => {
      after(() => engine.free(key));
      for (const scheme of schemesOf(key)) signs(engine, key, scheme);
      if (key.info.type === "rsa") decrypts(engine, key, keyOf(kind));
    });
  }
}

describe("libcrypto keeps EC private values of any length", () => {
  for (const [curve, { lengthBytes, parameters, order }] of Object.entries(EC_GROUPS)) {
    test(`on ${curve}: small ones, those with zeros in front, and the largest`, () => {
      const engine = selectEngine("libcrypto");
      for (const value of [1n, 2n, 255n, 1n << 64n, order >> 9n, order - 1n]) {
        const digits = value.toString(16).padStart(2 * lengthBytes, "0");
        const der = sec1(digits, parameters);
        const key = engine.load(der);
        assert.equal(toHex(key.info.spki), toHex(publicKeyOf(der)), digits);
        const digest = new Uint8Array(32).fill(0xc3);
        const signature = engine.sign(key, "ecdsa-sha256", digest);
        assert.ok(opensslVerifies(key.info.spki, "ecdsa-sha256", digest, signature), digits);
        engine.free(key);
      }
    });
  }
});

/** RFC 5915 section 3, without the public key; all in hexadecimal. */
function sec1(value: string, parameters: string): Uint8Array {
  const tlv = (tag: string, hex: string) => `${tag}${byte(hex.length / 2)}${hex}`;
  return fromHex(tlv("30", `020101${tlv("04", value)}${tlv("a0", parameters)}`))!;
}

function byte(value: number): string {
  return value.toString(16).padStart(2, "0");
}

function schemesOf(key: LoadedKey): SignScheme[] {
  const all = Object.keys(SCHEMES) as Scheme[];
  return all.filter((scheme): scheme is SignScheme =>
    scheme !== "rsa-decrypt" && SCHEMES[scheme].keyType === key.info.type &&
    !(key.info.bits === 1024 && scheme === "rsa-pss-sha512") // has no room for it
  );
}

function signs(engine: Engine, key: LoadedKey, scheme: SignScheme): void {
  test(`signs by ${scheme} what openssl verifies`, () => {
    const bytes = inputOf(scheme);
    const signature = engine.sign(key, scheme, bytes);
    assert.ok(opensslVerifies(key.info.spki, scheme, bytes, signature));
    const other = bytes.slice();
    other[0]! ^= 1;
    assert.ok(!opensslVerifies(key.info.spki, scheme, other, signature));
  });
}

function decrypts(engine: Engine, key: LoadedKey, pem: Uint8Array): void {
  const jwk = createPublicKey({ key: Buffer.from(key.info.spki), format: "der", type: "spki" })
    .export({ format: "jwk" });
  const modulus = BigInt(`0x${Buffer.from(jwk.n!, "base64url").toString("hex")}`);
  const block = (value: bigint, lengthBytes = Math.ceil(key.info.bits / 8)) =>
    new Uint8Array(Buffer.from(value.toString(16).padStart(2 * lengthBytes, "0"), "hex"));
  const decrypt = (bytes: Uint8Array) => toHex(engine.decrypt(key, bytes));

  test("leaves 0, 1 and n - 1 as they are in a raw decryption", () => {
    for (const value of [0n, 1n, modulus - 1n]) {
      assert.equal(decrypt(block(value)), toHex(block(value)));
    }
  });

  test("decrypts raw blocks as openssl does", () => {
    const dir = makeTempDir();
    const args = ["-decrypt", "-inkey", dir.write("key", pem), "-pkeyopt", "rsa_padding_mode:none"];
    for (const value of [2n, modulus / 3n, modulus - 2n]) {
      const expected = openssl(["pkeyutl", ...args], block(value));
      assert.equal(decrypt(block(value)), toHex(expected));
    }
    dir.remove();
  });

  test("refuses a raw block that is not below the modulus, or not of its length", () => {
    const lengthBytes = Math.ceil(key.info.bits / 8);
    const refused = [
      block(modulus),
      block(modulus + 1n),
      new Uint8Array(lengthBytes).fill(0xff),
      block(2n, lengthBytes - 1),
      block(2n, lengthBytes + 1),
      new Uint8Array(0),
    ];
    for (const bytes of refused) {
      assert.throws(() => engine.decrypt(key, bytes), { code: "SIGN_REFUSED" });
    }
    assert.equal(decrypt(block(1n)), toHex(block(1n)), "an earlier error does not linger");
  });
}

/** A digest that starts with ones, so that truncation to the curve's order shows. */
function inputOf(scheme: SignScheme): Uint8Array {
  const { hash } = SCHEMES[scheme];
  const lengthBytes = hash === undefined ? 100 : DIGEST_BYTES[hash];
  return Uint8Array.from({ length: lengthBytes }, (_, index) => 0xff - 5 * index);
}
