import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import fc from "fast-check";
import { fromHex, toHex } from "../../src/bytes/hex.ts";
import { describePublicKey, keyLabel } from "../../src/crypto/public_key.ts";
import { KeylessError } from "../../src/errors/errors.ts";
import { genpkey, type KeyKind, keyOf, openssl, publicKeyOf } from "../support/openssl.ts";

const KINDS = ["RSA 2048", "RSA 2049", "P-224", "P-256", "P-384", "P-521", "Ed25519"] as const;

const DESCRIBED: Readonly<Partial<Record<KeyKind, string>>> = {
  "P-224": "EC P-224",
  "P-256": "EC P-256",
  "P-384": "EC P-384",
  "P-521": "EC P-521",
};

describe("describePublicKey", () => {
  for (const kind of KINDS) {
    test(`tells kind and size of ${kind}`, () => {
      const info = describePublicKey(publicKeyOf(keyOf(kind)));
      assert.equal(keyLabel(info), DESCRIBED[kind] ?? kind);
      assert.equal(info.curve, kind.startsWith("P-") ? kind : undefined);
      assert.equal(info.bits, Number(/\d+$/.exec(kind === "Ed25519" ? "256" : kind)![0]));
      assert.equal(toHex(info.spki), toHex(publicKeyOf(keyOf(kind))));
    });

    test(`gives ${kind} the SKI that openssl writes into its certificate`, () => {
      const info = describePublicKey(publicKeyOf(keyOf(kind)));
      assert.equal(toHex(info.ski), skiByOpenssl(keyOf(kind)));
    });
  }

  test("gives RSA the digest of the modulus that openssl shows, and no other kind one", () => {
    for (const kind of KINDS) {
      const { digest } = describePublicKey(publicKeyOf(keyOf(kind)));
      const expected = kind.startsWith("RSA") ? digestByOpenssl(keyOf(kind)) : undefined;
      assert.equal(digest && toHex(digest), expected);
    }
  });

  test("tells the same of a key whose outer length is spelled in a byte more than it needs", () => {
    for (const kind of KINDS) {
      const spki = publicKeyOf(keyOf(kind));
      const info = describePublicKey(spki);
      const longer = describePublicKey(withLongerLength(spki));
      assert.deepEqual({ ...longer, spki }, info, kind);
    }
  });

  test("gives the SKI of a compressed point as it stands", () => {
    const compressed = openssl(["ec", "-conv_form", "compressed"], keyOf("P-256"));
    const info = describePublicKey(publicKeyOf(compressed));
    assert.equal(keyLabel(info), "EC P-256");
    assert.equal(toHex(info.ski), skiByOpenssl(compressed));
  });

  test("refuses kinds of keys that are not served, by name", () => {
    const kinds = {
      "X25519": [["-algorithm", "X25519"], /X25519/],
      "Ed448": [["-algorithm", "ED448"], /Ed448/],
      "RSA-PSS": [["-algorithm", "RSA-PSS"], /id-RSASSA-PSS/],
      "secp256k1": [["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"], /curve/],
    } as const;
    for (const [options, message] of Object.values(kinds)) {
      const spki = publicKeyOf(genpkey(...options));
      assert.throws(() => describePublicKey(spki), { code: "KEY_UNSUPPORTED", message });
    }
    const explicit = ["ecparam", "-name", "prime256v1", "-genkey", "-noout"];
    const spki = publicKeyOf(openssl([...explicit, "-param_enc", "explicit"]));
    assert.throws(() => describePublicKey(spki), { code: "KEY_UNSUPPORTED", message: /spelled/ });
  });

  test("refuses bytes that are no public key", () => {
    const ec = toHex(publicKeyOf(keyOf("P-256")));
    const ed = toHex(publicKeyOf(keyOf("Ed25519")));
    const refused = {
      "nothing": "",
      "a byte more": `${ec}00`,
      "a byte less": ec.slice(0, -2),
      "a private key": toHex(openssl(["pkey", "-outform", "DER"], keyOf("P-256"))),
      "a point of another form": ec.replace("03420004", "03420005"),
      "a point cut short": ec.replace("3059", "3058").replace("0342", "0341").slice(0, -2),
      "an Ed25519 key of 31 bytes": ed.replace("302a", "3029").replace("0321", "0320").slice(0, -2),
      "RSA without numbers": "3013300d06092a864886f70d0101010500030200ff",
      "RSA with a modulus of 0": "301a300d06092a864886f70d010101050003090030060201000201 03",
      "RSA with a negative modulus": "301a300d06092a864886f70d01010105000309003006020180020103",
    };
    for (const [what, hex] of Object.entries(refused)) {
      const bytes = fromHex(hex.replaceAll(" ", ""))!;
      assert.throws(() => describePublicKey(bytes), { code: "KEY_FORMAT" }, what);
    }
  });

  test("gives a description or an error of its own for any bytes", () => {
    const keys = KINDS.map((kind) => publicKeyOf(keyOf(kind)));
    const damaged = fc.record({ key: fc.constantFrom(...keys), at: fc.nat(), to: fc.nat(255) })
      .map(({ key, at, to }) => key.map((byte, index) => index === at % key.length ? to : byte));
    const property = fc.property(fc.oneof(fc.uint8Array(), damaged), (bytes) => {
      try {
        assert.equal(describePublicKey(bytes).ski.length, 20);
      } catch (error) {
        assert.ok(error instanceof KeylessError, `${error}`);
        assert.ok(["KEY_FORMAT", "KEY_UNSUPPORTED"].includes(error.code));
      }
    });
    fc.assert(property, { numRuns: 1_000 });
  });
});

/** BER's long form, which DER does without: X.690 section 8.1.3.5. */
function withLongerLength(spki: Uint8Array): Uint8Array {
  const lengthBytes = spki[1]! < 0x80 ? 0 : spki[1]! & 0x7f;
  const length = lengthBytes === 0 ? [spki[1]!] : [0, ...spki.subarray(2, 2 + lengthBytes)];
  return Uint8Array.of(
    spki[0]!,
    0x80 | length.length,
    ...length,
    ...spki.subarray(2 + lengthBytes),
  );
}

function skiByOpenssl(key: Uint8Array): string {
  const args = ["-new", "-key", "/dev/stdin", "-subj", "/CN=x", "-addext"];
  const certificate = openssl(["req", "-x509", ...args, "subjectKeyIdentifier=hash"], key);
  const shown = openssl(["x509", "-noout", "-ext", "subjectKeyIdentifier"], certificate);
  const digits = /(?:[0-9A-F]{2}:){19}[0-9A-F]{2}/.exec(Buffer.from(shown).toString())!;
  return toHex(fromHex(digits[0])!);
}

function digestByOpenssl(key: Uint8Array): string {
  const shown = Buffer.from(openssl(["rsa", "-modulus", "-noout"], key)).toString();
  // openssl writes whole bytes
  const modulus = shown.trim().replace("Modulus=", "").replace(/^0/, "");
  return createHash("sha256").update(modulus).digest("hex");
}
