import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { toHex } from "../../src/bytes/hex.ts";
import { PortableEngine } from "../../src/crypto/portable_engine.ts";
import { selectEngine } from "../../src/crypto/select_engine.ts";
import { KeylessError } from "../../src/errors/errors.ts";
import type { ErrorCode } from "../../src/errors/table.ts";
import { type Bundle, type BundleOptions, readBundle } from "../../src/pki/bundle.ts";
import { certify } from "../support/certificates.ts";
import { genpkey, keyOf, openssl, PASSOUT, PASSPHRASE, publicKeyOf } from "../support/openssl.ts";
import { makeTempDir, type TempDir } from "../support/temp_dir.ts";

const engine = selectEngine("libcrypto");
const withPassphrase: BundleOptions = { engine, passphrase: PASSPHRASE };
const key = keyOf("P-256");

let dir: TempDir;
/** PEM. */
let first: Uint8Array;
let second: Uint8Array;
let request: Uint8Array;
before(() => {
  dir = makeTempDir();
  const path = dir.write("key", key);
  first = certify(dir, path, { subject: "/CN=first" });
  second = certify(dir, path, { subject: "/CN=second" });
  dir.write("first", first);
  dir.write("second", second);
  request = openssl(["req", "-new", "-key", path, "-subj", "/CN=request"]);
});
after(() => dir.remove());

function join(...parts: readonly (string | Uint8Array)[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts.map((part) => Buffer.from(part))));
}

/** What a bundle holds, in a line. */
function shown({ certificates, requests, keys, problems }: Bundle): string {
  return [
    ...certificates.map(({ subject }) => subject),
    ...requests.map(({ subject }) => `request ${subject}`),
    ...keys.map(({ source, label }) => `${source} ${label}`),
    ...problems.map(({ code }) => code),
  ].join("; ");
}

function holds(file: Uint8Array, wanted: string, options: BundleOptions = { engine }): void {
  const before = toHex(file);
  assert.equal(shown(readBundle(file, options)), wanted);
  assert.equal(toHex(file), before, "the bytes stay as they were");
}

function refuses(
  file: Uint8Array,
  code: ErrorCode,
  message: RegExp,
  options: BundleOptions = { engine },
): void {
  assert.throws(() => readBundle(file, options), (error) => {
    assert.ok(error instanceof KeylessError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    assert.ok(!error.message.includes(new TextDecoder().decode(PASSPHRASE)));
    return true;
  });
}

function toDer(pem: Uint8Array): Uint8Array {
  return openssl(["x509", "-outform", "DER"], pem);
}

function pkcs7(...options: string[]): Uint8Array {
  const files = ["-certfile", dir.at("first"), "-certfile", dir.at("second")];
  return openssl(["crl2pkcs7", "-nocrl", ...files, ...options]);
}

function pkcs12(...options: string[]): Uint8Array {
  return openssl([
    ...["pkcs12", "-export", "-in", dir.at("first"), "-inkey", dir.at("key")],
    ...["-certfile", dir.at("second"), ...PASSOUT, ...options],
  ]);
}

describe("readBundle reads", () => {
  test("PEM of several kinds, with text between them", () => {
    const parameters =
      "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
    const file = join("subject=first\n", first, parameters, key, "text", second, request);
    holds(file, "CN=first; CN=second; request CN=request; private key EC P-256");
  });

  test("a certificate, a request and keys as DER", () => {
    holds(toDer(first), "CN=first");
    holds(openssl(["req", "-outform", "DER"], request), "request CN=request");
    holds(openssl(["pkey", "-outform", "DER"], key), "private key EC P-256");
    holds(publicKeyOf(key), "public key EC P-256");
  });

  test("a certificate with OpenSSL's trust behind it", () => {
    const trusted = openssl(["x509", "-addtrust", "serverAuth", "-trustout"], first);
    assert.match(new TextDecoder().decode(trusted), /BEGIN TRUSTED CERTIFICATE/);
    holds(trusted, "CN=first");
  });

  test("PKCS#7, PEM and DER, with the bytes of its certificates", () => {
    holds(pkcs7(), "CN=first; CN=second");
    const { certificates } = readBundle(pkcs7("-outform", "DER"));
    assert.deepEqual(certificates.map(({ der }) => toHex(der)), [
      toHex(toDer(first)),
      toHex(toDer(second)),
    ]);
  });

  test("what it can where a part cannot be read, and says which", () => {
    const broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    const encrypted = openssl(["pkcs8", "-topk8", ...PASSOUT], key);
    const bundle = readBundle(join(first, broken, encrypted), { engine });
    assert.equal(shown(bundle), "CN=first; CERTIFICATE_FORMAT; KEY_PASSPHRASE");
    assert.match(bundle.problems[0]!.message, /^PEM block 2 \("CERTIFICATE"\): /);
    assert.match(bundle.problems[1]!.message, /^PEM block 3 .*--passphrase-file/);
    holds(join(first, encrypted), "CN=first; private key EC P-256", withPassphrase);
  });
});

describe("readBundle opens PKCS#12", () => {
  const all = "CN=first; CN=second; private key EC P-256";
  const des = ["-certpbe", "PBE-SHA1-3DES", "-keypbe", "PBE-SHA1-3DES", "-macalg", "sha1"];
  const plain = ["-passout", "pass:", "-keypbe", "NONE", "-certpbe", "NONE", "-nomac"];

  for (
    const [what, options] of [
      ["of today", []],
      ["with 3DES", des],
      ["with RC2, of old tools", ["-legacy"]],
      ["with an empty passphrase, though one is given for other files", ["-passout", "pass:"]],
      ["without encryption", plain],
    ] as const
  ) {
    test(what, () => holds(pkcs12(...options), all, withPassphrase));
  }

  test("without a passphrase where it needs none", () => {
    holds(pkcs12(...plain), all);
    holds(pkcs12("-passout", "pass:"), all);
  });

  test("without a key, and with one that no engine serves", () => {
    holds(pkcs12("-nokeys"), "CN=first; CN=second", withPassphrase);
    const own = dir.write("ed448", genpkey("-algorithm", "ED448"));
    const certificate = dir.write("ed448.crt", certify(dir, own));
    const options = ["-export", "-in", certificate, "-inkey", own, ...PASSOUT];
    holds(openssl(["pkcs12", ...options]), "CN=leaf; private key Ed448", withPassphrase);
  });

  test("and says what to do about a passphrase that is missing or wrong", () => {
    refuses(pkcs12(), "KEY_PASSPHRASE", /is encrypted; give .*--passphrase-file/);
    const wrong = { engine, passphrase: new TextEncoder().encode("wrong") };
    refuses(pkcs12(), "KEY_PASSPHRASE", /does not open .*--passphrase-file/, wrong);
    refuses(pkcs12("-nomac"), "KEY_UNSUPPORTED", /lacks its MAC.*openssl pkcs12/, withPassphrase);
  });

  test("by libcrypto alone", () => {
    const portable = new PortableEngine({ servesEc: false, warning: "libcrypto was not found" });
    const options = { ...withPassphrase, engine: portable };
    refuses(pkcs12(), "ENGINE_MISSING", /libcrypto of OpenSSL 3 alone.*was not found/, options);
    refuses(pkcs12(), "ENGINE_MISSING", /libcrypto of OpenSSL 3 alone/, {});
  });
});

describe("readBundle refuses", () => {
  test("nothing, text, and bytes of another kind", () => {
    refuses(new Uint8Array(0), "CERTIFICATE_FORMAT", /it is empty/);
    refuses(join("no certificate\n"), "CERTIFICATE_FORMAT", /neither PEM nor DER/);
    refuses(new Uint8Array(1_000), "CERTIFICATE_FORMAT", /neither PEM nor DER/);
  });

  test("PEM that holds other things alone, which it names", () => {
    const list = "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n";
    refuses(join(list), "CERTIFICATE_FORMAT", /"X509 CRL"/);
  });

  test("DER that was cut short, at any place", () => {
    const der = toDer(first);
    for (let length = 4; length < der.length; length += 17) {
      refuses(der.subarray(0, length), "CERTIFICATE_FORMAT", /cut short/);
    }
  });

  test("PEM that was cut short", () => {
    refuses(first.subarray(0, 200), "CERTIFICATE_FORMAT", /PEM block 1/);
  });

  test("PKCS#7 and PKCS#12 that are damaged", () => {
    const signed = "06092a864886f70d010702";
    const other = Buffer.from(`300f${signed}a0020500`, "hex");
    refuses(other, "CERTIFICATE_FORMAT", /PKCS#7 that cannot be read/);
    const empty = new Uint8Array([0x30, 0x05, 0x02, 0x01, 0x03, 0x30, 0x00]);
    refuses(empty, "CERTIFICATE_FORMAT", /PKCS#12 that cannot be read/, withPassphrase);
  });
});

describe("readBundle gives a value or a KeylessError", () => {
  function survives(file: Uint8Array): void {
    try {
      readBundle(file, withPassphrase);
    } catch (error) {
      assert.ok(error instanceof KeylessError, String(error));
      assert.notEqual(error.code, "INTERNAL");
    }
  }

  test("for any bytes", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), survives));
  });

  test("for any bytes in PEM of any label that is read", () => {
    const labels = fc.constantFrom("CERTIFICATE", "TRUSTED CERTIFICATE", "PKCS7", "PUBLIC KEY");
    fc.assert(fc.property(labels, fc.uint8Array({ maxLength: 100 }), (label, bytes) => {
      const body = Buffer.from(bytes).toString("base64");
      survives(join(`-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`));
    }));
  });

  test("for a file with one byte changed", { timeout: 20_000 }, () => {
    const files = [toDer(first), pkcs7("-outform", "DER"), pkcs12(), join(first, key)];
    const change = fc.tuple(fc.constantFrom(...files), fc.nat(), fc.integer({ min: 1, max: 255 }));
    fc.assert(
      fc.property(change, ([file, at, by]) => {
        const copy = new Uint8Array(file);
        copy[at % copy.length]! ^= by;
        survives(copy);
      }),
      { numRuns: 200 },
    );
  });

  test("for DER that is nested as deep as a file can be", { timeout: 20_000 }, () => {
    survives(new Uint8Array(100_000).fill(0x30));
    survives(new Uint8Array(Buffer.from("3080".repeat(50_000), "hex")));
  });
});
