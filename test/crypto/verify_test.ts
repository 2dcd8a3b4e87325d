import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { describePublicKey } from "../../src/crypto/public_key.ts";
import { SCHEMES, type SignScheme } from "../../src/crypto/scheme.ts";
import { defaultScheme, digestOf, verifySignature } from "../../src/crypto/verify.ts";
import { KeylessError } from "../../src/errors/errors.ts";
import { makeTempDir, type TempDir } from "../support/temp_dir.ts";

const MESSAGE = new TextEncoder().encode("a message that openssl signs");

const KEYS: Readonly<Record<string, readonly string[]>> = {
  "RSA 2048": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
  "P-224": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-224"],
  "P-256": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
  "P-384": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
  "P-521": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"],
  "Ed25519": ["-algorithm", "ED25519"],
};

describe("verifySignature", () => {
  let dir: TempDir;
  before(() => {
    dir = makeTempDir();
    for (const [name, options] of Object.entries(KEYS)) {
      openssl(["genpkey", ...options, "-out", dir.at(`${name}.key`)]);
      openssl(["pkey", "-in", dir.at(`${name}.key`), "-pubout", "-outform", "DER"], `${name}.spki`);
    }
  });
  after(() => dir.remove());

  function openssl(args: readonly string[], out?: string): void {
    const extra = out === undefined ? [] : ["-out", dir.at(out)];
    execFileSync("openssl", [...args, ...extra], { stdio: "pipe" });
  }

  function keyOf(name: string) {
    return describePublicKey(new Uint8Array(readFileSync(dir.at(`${name}.spki`))));
  }

  /** By `openssl pkeyutl` over the digest, as a key server does. */
  function sign(name: string, scheme: SignScheme): Uint8Array {
    const { padding, hash } = SCHEMES[scheme];
    const input = dir.write("input", digestOf(scheme, MESSAGE));
    const pkeyopts = [
      ...(padding === "pss" ? ["rsa_padding_mode:pss", "rsa_pss_saltlen:digest"] : []),
      ...(hash !== undefined && hash !== "md5-sha1" || padding !== undefined
        ? [`digest:${hash}`]
        : []),
    ].flatMap((option) => ["-pkeyopt", option]);
    const raw = hash === undefined ? ["-rawin"] : [];
    openssl([
      "pkeyutl",
      "-sign",
      "-inkey",
      dir.at(`${name}.key`),
      "-in",
      input,
      ...raw,
      ...pkeyopts,
    ], "sig");
    return new Uint8Array(readFileSync(dir.at("sig")));
  }

  const schemes = (Object.keys(SCHEMES) as (keyof typeof SCHEMES)[])
    .filter((scheme) => scheme !== "rsa-decrypt");
  for (const name of Object.keys(KEYS)) {
    const type = name.startsWith("RSA") ? "rsa" : name.startsWith("P-") ? "ec" : "ed25519";
    for (const scheme of schemes.filter((scheme) => SCHEMES[scheme].keyType === type)) {
      // P-224 is verified by the runtime, and not every one has this digest
      if (name === "P-224" && scheme === "ecdsa-md5sha1") continue;
      test(`tells openssl's signature with ${name} and ${scheme} from a changed one`, () => {
        const signature = sign(name, scheme);
        const key = keyOf(name);
        assert.equal(verifySignature(key, scheme, MESSAGE, signature), true);
        const otherMessage = MESSAGE.slice(1);
        assert.equal(verifySignature(key, scheme, otherMessage, signature), false);
        signature[signature.length - 1]! ^= 1;
        assert.equal(verifySignature(key, scheme, MESSAGE, signature), false);
      });
    }
    test(`takes bytes that are no signature of ${name} as a wrong one`, () => {
      const key = keyOf(name);
      const scheme = defaultScheme(key);
      assert.equal(SCHEMES[scheme].keyType, key.type);
      for (const bytes of [new Uint8Array(0), new Uint8Array(64), new Uint8Array(256).fill(0x30)]) {
        assert.equal(verifySignature(key, scheme, MESSAGE, bytes), false);
      }
    });
  }

  test("refuses a scheme of another type of key", () => {
    const wrong = () => verifySignature(keyOf("P-256"), "rsa-sha256", MESSAGE, MESSAGE);
    assert.throws(wrong, (error) => {
      return error instanceof KeylessError && error.code === "KEY_UNSUPPORTED";
    });
  });
});
