import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { toHex } from "../../src/bytes/hex.ts";
import { LibcryptoEngine } from "../../src/crypto/libcrypto_engine.ts";
import { KeylessError } from "../../src/errors/errors.ts";
import { type FoundKey, type ReadOptions, readPublicKeys } from "../../src/pki/public_keys.ts";
import { openLibcrypto } from "../../src/runtime/libcrypto.ts";
import { makeTempDir, type TempDir } from "../support/temp_dir.ts";

const SECRET = "correct horse";
const options: ReadOptions = { engine: new LibcryptoEngine(openLibcrypto()) };
const withPassphrase = { ...options, passphrase: new TextEncoder().encode(SECRET) };

let dir: TempDir;
before(() => {
  dir = makeTempDir();
});
after(() => dir.remove());

function openssl(args: readonly string[], input: string | Uint8Array = ""): Uint8Array {
  return new Uint8Array(execFileSync("openssl", args, { input, stdio: "pipe" }));
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Kinds of keys, served or not: how openssl makes one, and what it is called here. */
const KINDS: readonly [label: string, ...options: string[]][] = [
  ["RSA 2048", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
  ["RSA 1024", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"],
  ["EC P-224", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-224"],
  ["EC P-256", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
  ["EC P-521", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"],
  ["Ed25519", "-algorithm", "ED25519"],
  ["RSASSA-PSS", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"],
  ["EC secp256k1", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"],
  ["EC brainpoolP384r1", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:brainpoolP384r1"],
  ["EC 1.3.132.0.31", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp192k1"],
  [
    "EC with explicit parameters",
    ...["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    ...["-pkeyopt", "ec_param_enc:explicit"],
  ],
  ["Ed448", "-algorithm", "ED448"],
];

const SERVED = new Set(["RSA 2048", "RSA 1024", "EC P-224", "EC P-256", "EC P-521", "Ed25519"]);

/** What openssl writes as subject key identifier into a certificate for the key. */
function skiByOpenssl(certificate: Uint8Array): string {
  const args = ["x509", "-noout", "-ext", "subjectKeyIdentifier"];
  const shown = new TextDecoder().decode(openssl(args, certificate));
  return shown.split("\n")[1]!.trim().replaceAll(":", "").toLowerCase();
}

/** A self-signed certificate, PEM. */
function certify(keyPath: string, subject: string): Uint8Array {
  const extensions = ["-addext", "subjectKeyIdentifier=hash"];
  return openssl(["req", "-x509", "-key", keyPath, "-subj", subject, ...extensions]);
}

function only(found: readonly FoundKey[]): FoundKey {
  assert.equal(found.length, 1);
  return found[0]!;
}

function shown({ source, subject, label, ski }: FoundKey): Record<string, string | undefined> {
  return { source, subject, label, ski: toHex(ski) };
}

function refuses(bytes: Uint8Array, code: string, message: RegExp, using = options): void {
  assert.throws(() => readPublicKeys(bytes, using), (error) => {
    assert.ok(error instanceof KeylessError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });
}

describe("readPublicKeys finds the SKI that openssl computes", () => {
  for (const [label, ...keyOptions] of KINDS) {
    test(`of a certificate, a request and a public key, PEM and DER: ${label}`, () => {
      const key = dir.write("key.pem", openssl(["genpkey", "-quiet", ...keyOptions]));
      const certificate = certify(key, "/O=Example/CN=leaf");
      const ski = skiByOpenssl(certificate);
      const request = openssl(["req", "-new", "-key", key, "-subj", "/CN=request"]);
      const publicKey = openssl(["pkey", "-in", key, "-pubout"]);
      const files: [FoundKey["source"], string | undefined, Uint8Array][] = [
        ["certificate", "O=Example, CN=leaf", certificate],
        ["certificate", "O=Example, CN=leaf", openssl(["x509", "-outform", "DER"], certificate)],
        ["certificate request", "CN=request", request],
        ["certificate request", "CN=request", openssl(["req", "-outform", "DER"], request)],
        ["public key", undefined, publicKey],
        ["public key", undefined, openssl(["pkey", "-pubin", "-outform", "DER"], publicKey)],
      ];
      for (const [source, subject, file] of files) {
        const found = only(readPublicKeys(file, options));
        assert.deepEqual(shown(found), { source, subject, label, ski });
        assert.equal(found.info !== undefined, SERVED.has(label), "what is served is described");
      }
    });
  }

  test("of a PKCS#1 RSA public key, PEM and DER", () => {
    const key = dir.write("key.pem", openssl(["genpkey", "-quiet", "-algorithm", "RSA"]));
    const ski = skiByOpenssl(certify(key, "/CN=a"));
    for (const form of ["PEM", "DER"]) {
      const file = openssl(["rsa", "-in", key, "-RSAPublicKey_out", "-outform", form]);
      const found = only(readPublicKeys(file, options));
      assert.deepEqual([found.source, found.label, toHex(found.ski)], [
        "public key",
        "RSA 2048",
        ski,
      ]);
    }
  });

  for (const [label, ...keyOptions] of KINDS.filter(([label]) => SERVED.has(label))) {
    test(`of a private key, PEM and DER, also encrypted: ${label}`, () => {
      const key = openssl(["genpkey", "-quiet", ...keyOptions]);
      const ski = skiByOpenssl(certify(dir.write("key.pem", key), "/CN=a"));
      const encrypted = openssl(["pkcs8", "-topk8", "-passout", `pass:${SECRET}`], key);
      const files = [key, openssl(["pkey", "-outform", "DER"], key), encrypted];
      for (const file of files) {
        const found = only(readPublicKeys(file, withPassphrase));
        const wanted = { source: "private key", subject: undefined, label, ski };
        assert.deepEqual(shown(found), wanted);
        assert.equal(toHex(found.info!.ski), ski);
      }
      refuses(encrypted, "KEY_PASSPHRASE", /encrypted/);
    });
  }
});

describe("readPublicKeys", () => {
  let key: string;
  let certificates: Uint8Array[];
  before(() => {
    key = dir.write("own.pem", openssl(["ecparam", "-name", "prime256v1", "-genkey", "-noout"]));
    certificates = ["/CN=first", "/CN=second"].map((subject) => certify(key, subject));
  });

  function join(...parts: readonly (string | Uint8Array)[]): Uint8Array {
    return bytesOf(
      parts.map((part) => typeof part === "string" ? part : new TextDecoder().decode(part)).join(
        "",
      ),
    );
  }

  test("finds everything in a file, in its order, and passes over what is no key", () => {
    const parameters = openssl(["ecparam", "-name", "prime256v1"]);
    const privateKey = openssl(["pkey", "-in", key]);
    const file = join(
      "a text\r\n",
      certificates[1]!,
      parameters,
      privateKey,
      certificates[0]!,
      "x",
    );
    const found = readPublicKeys(file, options);
    assert.deepEqual(found.map(({ source, subject }) => [source, subject]), [
      ["certificate", "CN=second"],
      ["private key", undefined],
      ["certificate", "CN=first"],
    ]);
    assert.equal(new Set(found.map(({ ski }) => toHex(ski))).size, 1);
  });

  test("takes lines that end in CR LF, or have blanks at their end", () => {
    for (const end of ["\r\n", "  \n"]) {
      const file = new TextDecoder().decode(certificates[0]!).replaceAll("\n", end);
      assert.equal(only(readPublicKeys(bytesOf(file), options)).subject, "CN=first");
    }
  });

  test("gives a subject as it is, whatever characters it has", () => {
    const subject = "CN=\u001b[2Jred\u202e";
    const args = ["req", "-x509", "-utf8", "-key", key, "-subj", `/${subject}`];
    assert.equal(only(readPublicKeys(openssl(args), options)).subject, subject);
  });

  test("refuses a private key where it is given no engine, and reads the rest", () => {
    const privateKey = openssl(["pkey", "-in", key]);
    refuses(privateKey, "KEY_FORMAT", /holds a private key; give the public half/, {});
    assert.equal(only(readPublicKeys(certificates[0]!, {})).subject, "CN=first");
  });

  test("names what a PEM file has instead", () => {
    const file = join(openssl(["ecparam", "-name", "prime256v1"]));
    refuses(file, "KEY_FORMAT", /holds no key.*it has PEM blocks "EC PARAMETERS"$/);
  });

  test("refuses what is no key, and blocks that are broken", () => {
    refuses(new Uint8Array(0), "KEY_FORMAT", /holds no key, certificate or signing request/);
    refuses(bytesOf("hello\n"), "KEY_FORMAT", /holds no key, certificate or signing request/);
    for (const label of ["CERTIFICATE", "CERTIFICATE REQUEST"]) {
      const file = bytesOf(`-----BEGIN ${label}-----\nMAA=\n-----END ${label}-----\n`);
      refuses(file, "CERTIFICATE_FORMAT", /^not a certificate.* that can be read/);
    }
    for (const label of ["PUBLIC KEY", "RSA PUBLIC KEY", "PRIVATE KEY"]) {
      const file = bytesOf(`-----BEGIN ${label}-----\nMAA=\n-----END ${label}-----\n`);
      refuses(file, "KEY_FORMAT", /that can be read/);
    }
  });

  test("refuses a certificate with bytes after it, and one cut short", () => {
    const der = openssl(["x509", "-outform", "DER"], certificates[0]!);
    refuses(Uint8Array.of(...der, 0), "KEY_FORMAT", /holds no key/);
    refuses(der.subarray(0, -1), "KEY_FORMAT", /holds no key/);
  });

  test("gives keys or a typed error for any bytes", () => {
    const der = openssl(["x509", "-outform", "DER"], certificates[0]!);
    const labels = ["CERTIFICATE", "CERTIFICATE REQUEST", "PUBLIC KEY", "RSA PUBLIC KEY"];
    const changed = fc.tuple(fc.nat(der.length - 1), fc.nat(255)).map(([at, value]) => {
      const copy = der.slice();
      copy[at] = value;
      return copy;
    });
    const block = fc.tuple(fc.constantFrom(...labels), fc.base64String())
      .map(([label, body]) => bytesOf(`-----BEGIN ${label}-----\n${body}\n-----END ${label}-----`));
    const nested = fc.nat(20_000).map((depth) =>
      Uint8Array.from({ length: 2 * depth }, (_, at) => at % 2 === 0 ? 0x30 : 0x80)
    );
    fc.assert(fc.property(fc.oneof(fc.uint8Array(), changed, block, nested), (bytes) => {
      try {
        assert.ok(readPublicKeys(bytes, options).length > 0);
      } catch (error) {
        assert.ok(error instanceof KeylessError, String(error));
        assert.notEqual(error.code, "INTERNAL");
      }
    }));
  });
});
