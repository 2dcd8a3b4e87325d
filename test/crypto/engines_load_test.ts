import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import process from "node:process";
import { describe, test } from "node:test";
import { toHex } from "../../src/bytes/hex.ts";
import type { Engine, LoadOptions } from "../../src/crypto/engine.ts";
import { MAX_KEY_FILE_BYTES } from "../../src/crypto/key_errors.ts";
import { selectEngine } from "../../src/crypto/select_engine.ts";
import { KeylessError } from "../../src/errors/errors.ts";
import type { ErrorCode } from "../../src/errors/table.ts";
import {
  type Encoding,
  ENCODINGS,
  genpkey,
  type KeyKind,
  keyOf,
  makeKey,
  openssl,
  PASSOUT,
  PASSPHRASE,
  publicKeyOf,
  rsaDer,
} from "../support/openssl.ts";

const isBun = process.versions.bun !== undefined;
const ENGINES = [selectEngine("libcrypto"), selectEngine("portable")];
const ENCODED_KINDS = ["RSA 2048", "P-224", "P-256", "P-384", "P-521", "Ed25519"] as const;
const PLAIN = Object.keys(ENCODINGS).filter((name) => !isEncrypted(name)) as Encoding[];
const ENCRYPTED = Object.keys(ENCODINGS).filter(isEncrypted) as Encoding[];

/** Encrypted forms that node:crypto does not open. */
const PORTABLE_LACKS: readonly string[] = isBun
  ? ["scrypt PEM"]
  : ["PBES2 3DES PEM", "PBES1 3DES PEM"];

/** Numbers of an RSA key that Deno computes anew instead of reading them. */
const COMPUTED_BY_RUNTIME: readonly string[] = isBun ? [] : ["dp", "dq", "qInverse"];

for (const engine of ENGINES) {
  const isPortable = engine.name === "portable";

  const asFarAs = isPortable ? ", as far as its runtime can," : "";
  describe(`${engine.name}${asFarAs} loads`, () => {
    for (const kind of ENCODED_KINDS.filter((name) => !(isPortable && name === "P-224"))) {
      for (const encoding of PLAIN.filter((name) => isUsual(kind, name))) {
        test(`${kind} in ${encoding}`, () => loads(engine, kind, ENCODINGS[encoding](keyOf(kind))));
      }
      for (const encoding of ENCRYPTED.filter((name) => isUsual(kind, name))) {
        test(`${kind} in ${encoding}, given its passphrase`, () => {
          const bytes = ENCODINGS[encoding](keyOf(kind));
          if (isPortable && PORTABLE_LACKS.includes(encoding)) refusesEncryption(engine, bytes);
          else loads(engine, kind, bytes, { passphrase: PASSPHRASE });
        });
      }
    }

    test("a plain key though a passphrase is given", () => {
      for (const encoding of PLAIN) {
        const bytes = ENCODINGS[encoding](keyOf("P-256"));
        loads(engine, "P-256", bytes, { passphrase: PASSPHRASE });
      }
    });

    for (const [what, wrap] of Object.entries(WRAPPINGS)) {
      test(`a key ${what}`, () => loads(engine, "P-256", wrap(ENCODINGS, keyOf("P-256"))));
    }

    test("the bytes without changing them", () => {
      const bytes = keyOf("RSA 2048").slice();
      engine.free(engine.load(bytes));
      assert.equal(toHex(bytes), toHex(keyOf("RSA 2048")));
    });

    test("RSA 1024 only where weak keys are allowed", () => {
      const error = refusal(engine, keyOf("RSA 1024"), "KEY_WEAK");
      assert.match(error.message, /1024 bits.*--allow-weak-keys/);
      loads(engine, "RSA 1024", keyOf("RSA 1024"), { allowWeak: true });
    });
  });

  describe(`${engine.name} refuses`, () => {
    test("RSA below 1024 bits, even where weak keys are allowed", () => {
      const key = genpkey("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1016");
      refusal(engine, key, "KEY_WEAK", { allowWeak: true });
      refusal(engine, key, "KEY_WEAK");
    });

    test("an encrypted key without a passphrase, naming where to give it", () => {
      for (const encoding of ENCRYPTED) {
        const error = refusal(engine, ENCODINGS[encoding](keyOf("P-256")), "KEY_PASSPHRASE");
        assert.match(error.message, /--passphrase-file.*KEYLESS_PASSPHRASE/);
      }
    });

    test("every wrong passphrase, also where its result looks decrypted", () => {
      const tries = Array.from({ length: 1_000 }, (_, index) => Buffer.from(`wrong ${index}`));
      const encodings = {
        "PBES2": openssl(["pkcs8", "-topk8", "-iter", "1", ...PASSOUT], keyOf("P-256")),
        "legacy": ENCODINGS["legacy encrypted PEM"](keyOf("P-256")),
      };
      for (const bytes of Object.values(encodings)) {
        for (const passphrase of tries) refusal(engine, bytes, "KEY_PASSPHRASE", { passphrase });
      }
    });

    test("an encrypted key with a wrong passphrase, whose text is not told", () => {
      const passphrase = new TextEncoder().encode("open sesame");
      for (const encoding of ENCRYPTED) {
        if (isPortable && PORTABLE_LACKS.includes(encoding)) continue;
        const bytes = ENCODINGS[encoding](keyOf("P-256"));
        const error = refusal(engine, bytes, "KEY_PASSPHRASE", { passphrase });
        assert.doesNotMatch(error.message, /sesame/);
        refusal(engine, bytes, "KEY_PASSPHRASE", { passphrase: new Uint8Array(0) });
      }
    });

    test("kinds of keys that are not served", () => {
      for (const [name, key] of Object.entries(otherKinds())) {
        const error = refusal(engine, key, "KEY_UNSUPPORTED");
        assert.notEqual(error.message, "", name);
        assert.doesNotMatch(error.message, /^a [EX]/, name);
      }
    });

    test("what is no private key, in words of its own", () => {
      for (const bytes of Object.values(notKeys())) {
        const { message } = refusal(engine, bytes, "KEY_FORMAT");
        assert.match(
          message,
          /^no private key that can be read: .*; wanted is PEM or DER of PKCS#8/,
        );
        assert.doesNotMatch(message, /asn1|routines|OPENSSL|error:/i);
      }
    });

    // node:crypto refuses most of them itself, and does not say why
    const damaged: readonly ErrorCode[] = isPortable
      ? ["KEY_FORMAT", "KEY_UNSUPPORTED"]
      : ["KEY_FORMAT"];

    test("an EC key whose public point belongs to another key", () => {
      for (const [kind, pointBytes] of [["P-256", 65], ["P-384", 97], ["P-521", 133]] as const) {
        const [own, other] = [traditionalDer(makeKey(kind)), traditionalDer(makeKey(kind))];
        const mixed = Buffer.concat([own.subarray(0, -pointBytes), other.subarray(-pointBytes)]);
        const error = refuses(engine, mixed, damaged);
        if (!isPortable) assert.match(error.message, /point belongs to another private key/);
      }
    });

    test("an EC key whose private value is not below the order", () => {
      const der = Buffer.from(traditionalDer(keyOf("P-256"))); // the value is at offset 7
      refuses(engine, Buffer.from(der).fill(0xff, 7, 39), damaged);
      refuses(engine, Buffer.from(der).fill(0, 7, 39), damaged);
    });

    test("an RSA key whose numbers do not belong together", () => {
      const der = traditionalDer(keyOf("RSA 2048"));
      for (const [name, at] of Object.entries(rsaOffsets(der))) {
        const changed = Buffer.from(der);
        changed[at]! ^= 0x10;
        if (isPortable && COMPUTED_BY_RUNTIME.includes(name)) {
          loads(engine, "RSA 2048", changed);
          continue;
        }
        const error = refuses(engine, changed, damaged);
        assert.match(error.message, /damaged/, name);
      }
    });

    test("bytes left over behind a key in DER", () => {
      const encodings = ["PKCS#8 DER", "traditional DER", "PBES2 AES-256 DER"] as const;
      for (const encoding of encodings) {
        const bytes = Buffer.concat([ENCODINGS[encoding](keyOf("P-256")), new Uint8Array(1)]);
        refuses(engine, bytes, ["KEY_FORMAT"], { passphrase: PASSPHRASE });
      }
    });
  });
}

describe("the portable engine says at load", () => {
  const engine = selectEngine("portable");

  test("that it cannot use RSA of three primes", () => {
    for (const encoding of PLAIN) {
      const bytes = ENCODINGS[encoding](keyOf("RSA 3-prime"));
      const error = refusal(engine, bytes, "KEY_UNSUPPORTED");
      assert.match(error.message, /more than two primes.*--crypto libcrypto/);
    }
  });

  test("that it cannot use P-224, and how to install OpenSSL", () => {
    const error = refusal(engine, keyOf("P-224"), "KEY_UNSUPPORTED");
    assert.match(error.message, /P-224.*apt-get install libssl3/);
  });
});

describe("libcrypto", () => {
  test("loads RSA of three primes in every encoding", () => {
    for (const encoding of PLAIN) {
      loads(ENGINES[0]!, "RSA 3-prime", ENCODINGS[encoding](keyOf("RSA 3-prime")));
    }
  });

  test("refuses RSA of more than 16,384 bits, which would hold a core for seconds", () => {
    const huge = rsaDer([1n << 16_384n, 3n, 3n, 3n, 3n, 3n, 3n, 3n]);
    const error = refusal(ENGINES[0]!, huge, "KEY_UNSUPPORTED");
    assert.match(error.message, /16384/);
  });
});

/** What may stand around a key in its file. */
const WRAPPINGS: Readonly<
  Record<string, (encodings: typeof ENCODINGS, key: Uint8Array) => Uint8Array>
> = {
  "behind EC PARAMETERS": (encodings, key) =>
    Buffer.concat([openssl(["ecparam", "-name", "prime256v1"]), encodings["traditional PEM"](key)]),
  "behind a certificate": (_, key) => Buffer.concat([certificate(key), key]),
  "before a certificate": (_, key) => Buffer.concat([key, certificate(key)]),
  "behind text": (_, key) => Buffer.concat([Buffer.from("0 is for\nmy key -----BEGIN \n"), key]),
  "behind the text that openssl writes": (_, key) =>
    Buffer.concat([openssl(["pkey", "-noout", "-text_pub"], key), key]),
  "whose lines end with CR LF": (_, key) =>
    Buffer.from(Buffer.from(key).toString("latin1").replaceAll("\n", "\r\n"), "latin1"),
  "without a last line end": (_, key) => key.subarray(0, -1),
  "that lacks its public point": (_, key) => openssl(["ec", "-no_public"], key),
  "whose public point is compressed": (_, key) => openssl(["ec", "-conv_form", "compressed"], key),
};

function loads(engine: Engine, kind: KeyKind, bytes: Uint8Array, options?: LoadOptions): void {
  const key = engine.load(bytes, options);
  assert.equal(toHex(key.info.spki), toHex(publicKeyOf(keyOf(kind))));
  engine.free(key);
}

/** Says how to encrypt the key anew. */
function refusesEncryption(engine: Engine, bytes: Uint8Array): void {
  const code = isBun ? "KEY_UNSUPPORTED" : "KEY_PASSPHRASE"; // Deno does not tell which
  const error = refusal(engine, bytes, code, { passphrase: PASSPHRASE });
  assert.match(error.message, /encryption is not supported.*openssl pkcs8 -topk8/);
}

function refusal(
  engine: Engine,
  bytes: Uint8Array,
  code: ErrorCode,
  options?: LoadOptions,
): KeylessError {
  return refuses(engine, bytes, [code], options);
}

function refuses(
  engine: Engine,
  bytes: Uint8Array,
  codes: readonly ErrorCode[],
  options?: LoadOptions,
): KeylessError {
  try {
    engine.free(engine.load(bytes, options));
  } catch (error) {
    assert.ok(error instanceof KeylessError, String(error));
    assert.ok(codes.includes(error.code), `${error.code}: ${error.message}`);
    return error;
  }
  assert.fail("the key was loaded");
}

function isEncrypted(encoding: string): boolean {
  return /PBES|scrypt|encrypted/.test(encoding);
}

/** Ed25519 has no traditional form. */
function isUsual(kind: KeyKind, encoding: string): boolean {
  return kind !== "Ed25519" || !/traditional|legacy/.test(encoding);
}

function traditionalDer(key: Uint8Array): Uint8Array {
  return ENCODINGS["traditional DER"](key);
}

/** Where the numbers of a key have a byte in their middle, by what `openssl asn1parse` tells. */
function rsaOffsets(der: Uint8Array): Record<string, number> {
  const text = new TextDecoder().decode(openssl(["asn1parse", "-inform", "DER"], der));
  const rows = [...text.matchAll(/^ *(\d+):d=1 +hl=(\d+) +l= *(\d+) prim: INTEGER/gm)];
  const middles = rows.map(([, at, header, length]) => +at! + +header! + (+length! >> 1));
  assert.equal(middles.length, 9);
  const [, n, , d, p, q, dp, dq, qInverse] = middles as number[];
  return { n: n!, d: d!, p: p!, q: q!, dp: dp!, dq: dq!, qInverse: qInverse! };
}

function certificate(key: Uint8Array): Uint8Array {
  return openssl(["req", "-x509", "-new", "-key", "/dev/stdin", "-subj", "/CN=test"], key);
}

function otherKinds(): Record<string, Uint8Array> {
  return {
    "X25519": genpkey("-algorithm", "X25519"),
    "Ed448": genpkey("-algorithm", "ED448"),
    "RSA-PSS": genpkey("-algorithm", "RSA-PSS"),
    "secp256k1": genpkey("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"),
    "brainpool": openssl(["ecparam", "-name", "brainpoolP256r1", "-genkey", "-noout"]),
    "OpenSSH": Buffer.from(
      "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
    ),
  };
}

function notKeys(): Record<string, Uint8Array> {
  const key = keyOf("P-256");
  return {
    "nothing": new Uint8Array(0),
    "text": Buffer.from("my key\n"),
    "zeros": new Uint8Array(100),
    "a file that is too long": new Uint8Array(MAX_KEY_FILE_BYTES + 1),
    "a certificate": certificate(key),
    "a certificate in DER": openssl(["x509", "-outform", "DER"], certificate(key)),
    "a public key": openssl(["pkey", "-pubout"], key),
    "a certificate request": openssl(["req", "-new", "-key", "/dev/stdin", "-subj", "/CN=x"], key),
    "a block cut short": key.subarray(0, key.length - 30),
  };
}
