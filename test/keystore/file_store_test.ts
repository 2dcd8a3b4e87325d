import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, symlinkSync } from "node:fs";
import process from "node:process";
import { setImmediate } from "node:timers";
import { afterEach, before, beforeEach, describe, test } from "node:test";
import { toHex } from "../../src/bytes/hex.ts";
import type { Engine, LoadOptions, PrivateKey } from "../../src/crypto/engine.ts";
import { MAX_KEY_FILE_BYTES } from "../../src/crypto/key_errors.ts";
import { LibcryptoEngine } from "../../src/crypto/libcrypto_engine.ts";
import { KeylessError } from "../../src/errors/errors.ts";
import {
  type FileStore,
  type KeyWarning,
  loadFileStore,
  type LoadStoreOptions,
} from "../../src/keystore/file_store.ts";
import { KeyFilesError } from "../../src/keystore/key_failures.ts";
import type { KeySource } from "../../src/keystore/key_files.ts";
import { openLibcrypto } from "../../src/runtime/libcrypto.ts";
import { makeTempDir, type TempDir } from "../support/temp_dir.ts";

function openssl(args: readonly string[], input: string | Uint8Array = ""): Uint8Array {
  return new Uint8Array(execFileSync("openssl", args, { input, stdio: "pipe" }));
}

/** Keys by openssl, PKCS#8 PEM. */
function makeKey(...options: string[]): string {
  return new TextDecoder().decode(openssl(["genpkey", "-quiet", ...options]));
}
const makeP256 = () => makeKey("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256");
const makeRsa = (bits: number) =>
  makeKey("-algorithm", "RSA", "-pkeyopt", `rsa_keygen_bits:${bits}`);

function sha(name: "sha1" | "sha256", data: string | Uint8Array): Uint8Array {
  return new Uint8Array(createHash(name).update(data).digest());
}

/** Counts the keys that it holds, and keeps the bytes that it was given. */
class WatchedEngine implements Engine {
  readonly name = "libcrypto";
  readonly version: string;
  readonly warning: string | undefined;
  held = 0;
  onLoad = () => {};
  readonly given: Uint8Array[] = [];
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.version = engine.version;
    this.warning = engine.warning;
  }

  load(bytes: Uint8Array, options?: LoadOptions): PrivateKey {
    this.given.push(bytes);
    this.onLoad();
    const key = this.#engine.load(bytes, options);
    this.held++;
    return key;
  }

  free(key: PrivateKey): void {
    this.held--;
    this.#engine.free(key);
  }

  readonly sign: Engine["sign"] = (key, scheme, bytes) => this.#engine.sign(key, scheme, bytes);
  readonly decrypt: Engine["decrypt"] = (key, block) => this.#engine.decrypt(key, block);
}

const libcrypto = new LibcryptoEngine(openLibcrypto());
const keys = { p256: "", other: "", rsa: "", ed25519: "", weak: "" };
before(() => {
  keys.p256 = makeP256();
  keys.other = makeP256();
  keys.rsa = makeRsa(2_048);
  keys.ed25519 = makeKey("-algorithm", "ED25519");
  keys.weak = makeRsa(1_024);
});

let dir: TempDir;
let engine: WatchedEngine;
const open: FileStore[] = [];
beforeEach(() => {
  dir = makeTempDir();
  engine = new WatchedEngine(libcrypto);
});
afterEach(() => {
  for (const store of open.splice(0)) store.close();
  assert.equal(engine.held, 0, "every key was given back");
  dir.remove();
});

async function load(
  options: Partial<LoadStoreOptions> = {},
  sources: readonly KeySource[] = [{ dir: dir.path }],
): Promise<FileStore> {
  const store = await loadFileStore(sources, { engine, ...options });
  open.push(store);
  return store;
}

async function loadFails(options: Partial<LoadStoreOptions> = {}): Promise<KeyFilesError> {
  const error = await load(options).then(() => undefined, (thrown) => thrown);
  assert.ok(error instanceof KeyFilesError, `not refused: ${error}`);
  return error;
}

/** File names below the directory, and what openssl says that each key's SKI is. */
function expectKeys(store: FileStore, expected: Readonly<Record<string, string>>): void {
  const found = store.keys.map(({ path, info }) => [path, toHex(info.ski)]);
  const wanted = Object.entries(expected).map(([name, pem]) => [dir.at(name), skiByOpenssl(pem)]);
  assert.deepEqual(found, wanted);
}

/** SHA-1 of what the SubjectPublicKey bit string holds, cut out by openssl. */
function skiByOpenssl(pem: string): string {
  const spki = openssl(["pkey", "-pubout", "-outform", "DER"], pem);
  const listing = new TextDecoder().decode(openssl(["asn1parse", "-inform", "DER"], spki));
  const line = /^ *(\d+):d=1 +hl=(\d+) l= *(\d+) prim: BIT STRING/m.exec(listing);
  const start = Number(line?.[1]) + Number(line?.[2]) + 1; // a byte counts the unused bits
  return toHex(sha("sha1", spki.subarray(start)));
}

describe("a store of key files", () => {
  test("holds the keys of a directory, PEM and DER, and of single files of any name", async () => {
    mkdirSync(dir.at("below"));
    dir.write("below/b.key", openssl(["pkey", "-outform", "DER"], keys.rsa));
    dir.write("a.key", keys.p256);
    dir.write("a.key.bak", "not looked at");
    dir.write("ed.pem", keys.ed25519);
    const store = await load({}, [{ dir: dir.path }, { file: dir.at("ed.pem") }]);
    expectKeys(store, { "a.key": keys.p256, "below/b.key": keys.rsa, "ed.pem": keys.ed25519 });
    assert.deepEqual(store.failures, []);
  });

  test("without a key is empty, and finds nothing", async () => {
    const store = await load();
    assert.deepEqual(store.keys, []);
    assert.equal(store.find({ ski: new Uint8Array(20) }), undefined);
  });

  test("holds the keys of a Kubernetes volume once, without a word about repetition", async () => {
    const warnings: string[] = [];
    mkdirSync(dir.at("..2026_01_01"));
    dir.write("..2026_01_01/a.key", keys.p256);
    symlinkSync("..2026_01_01", dir.at("..data"));
    symlinkSync("..data/a.key", dir.at("a.key"));
    expectKeys(await load({ onWarning: (path) => warnings.push(path) }), { "a.key": keys.p256 });
    assert.deepEqual(warnings, []);
  });

  test("tells how far it is: at the end, all files", async () => {
    dir.write("a.key", keys.p256);
    dir.write("b.key", keys.other);
    const seen: [number, number][] = [];
    await load({ onProgress: (...progress) => seen.push(progress) });
    assert.deepEqual(seen.at(-1), [2, 2]);
  });

  test("gives the event loop turns while it loads", async () => {
    for (const name of ["a", "b", "c"]) dir.write(`${name}.key`, keys.p256);
    let turns = 0;
    engine.onLoad = () => {
      setImmediate(() => turns++);
      const start = performance.now();
      while (performance.now() - start < 60); // longer than a turn may be away
    };
    await load();
    assert.ok(turns >= 2, `${turns} turns`);
  });

  test("overwrites the bytes of every file, also of one that is no key", async () => {
    dir.write("a.key", keys.p256);
    dir.write("b.key", "no key");
    await load({ keepGoing: true });
    assert.equal(engine.given.length, 2);
    for (const bytes of engine.given) {
      assert.ok(bytes.length > 0 && bytes.every((byte) => byte === 0));
    }
  });

  test("gives all keys back when it is closed, finds none, and a signer in hand refuses", async () => {
    dir.write("a.key", keys.p256);
    const store = await load();
    const ski = store.keys[0]!.info.ski;
    const signer = store.find({ ski });
    assert.ok(signer);
    store.close();
    assert.equal(engine.held, 0);
    assert.equal(store.find({ ski }), undefined);
    for (
      const use of [
        () => signer.sign("ecdsa-sha256", new Uint8Array(32)),
        () => signer.decrypt(new Uint8Array(32)),
      ]
    ) {
      assert.throws(use, (error) => error instanceof KeylessError && error.code === "SIGN_FAILED");
    }
    store.close();
    assert.equal(engine.held, 0, "closing twice gives nothing back twice");
  });
});

describe("a store finds", () => {
  let store: FileStore;
  let rsaDigest: Uint8Array;
  const skiOf = (name: string) => {
    const key = store.keys.find(({ path }) => path.endsWith(name));
    assert.ok(key, name);
    return key.info.ski;
  };

  beforeEach(async () => {
    for (const name of ["p256", "rsa", "ed25519"] as const) dir.write(`${name}.key`, keys[name]);
    store = await load();
    const line = new TextDecoder().decode(openssl(["rsa", "-noout", "-modulus"], keys.rsa));
    rsaDigest = sha("sha256", line.trim().replace("Modulus=", ""));
  });

  test("each key by its SKI, whatever the digest says", () => {
    for (const name of ["p256", "rsa", "ed25519"] as const) {
      const ski = skiOf(`${name}.key`);
      for (const digest of [undefined, rsaDigest, new Uint8Array(32), new Uint8Array(3)]) {
        assert.equal(store.find({ ski, digest })?.info.ski, ski, name);
      }
    }
  });

  test("an RSA key by its certificate digest where the SKI is absent or empty", () => {
    for (const ski of [undefined, new Uint8Array(0)]) {
      assert.equal(store.find({ ski, digest: rsaDigest })?.info.ski, skiOf("rsa.key"));
    }
  });

  test("nothing by an SKI that is zero, unknown or of a wrong length, even with a digest", () => {
    const known = skiOf("rsa.key");
    const wrong = [
      new Uint8Array(20),
      new Uint8Array(20).fill(1),
      known.subarray(0, 19),
      Uint8Array.of(...known, 0),
      rsaDigest,
    ];
    for (const ski of wrong) assert.equal(store.find({ ski, digest: rsaDigest }), undefined);
  });

  test("nothing by a digest that is unknown or of a wrong length, and nothing by nothing", () => {
    const wrong = [new Uint8Array(32), rsaDigest.subarray(0, 31), Uint8Array.of(...rsaDigest, 0)];
    for (const digest of wrong) assert.equal(store.find({ digest }), undefined);
    assert.equal(store.find({ digest: skiOf("p256.key") }), undefined);
    assert.equal(store.find({}), undefined);
    assert.equal(store.find({ serverName: "example.com" }), undefined);
  });

  test("signers whose signatures openssl accepts", () => {
    const data = new TextEncoder().encode("signed by a key that was found");
    const signature = store.find({ ski: skiOf("p256.key") })?.sign(
      "ecdsa-sha256",
      sha("sha256", data),
    );
    assert.ok(signature);
    dir.write("public.pem", openssl(["pkey", "-pubout"], keys.p256));
    dir.write("signature", signature);
    openssl(
      ["dgst", "-sha256", "-verify", dir.at("public.pem"), "-signature", dir.at("signature")],
      data,
    );
  });

  test("signers that decrypt with RSA", () => {
    const block = new Uint8Array(256).fill(0);
    block[255] = 2;
    const plain = store.find({ ski: skiOf("rsa.key") })?.decrypt(block);
    assert.ok(plain);
    const back = openssl(["rsautl", "-encrypt", "-raw", "-inkey", dir.at("rsa.key")], plain);
    assert.deepEqual(back, block);
  });
});

describe("a key file that cannot be used", () => {
  test("stops the loading, named with its reason; no key is kept", async () => {
    dir.write("good.key", keys.p256);
    dir.write("bad.key", "no key");
    const error = await loadFails();
    assert.equal(error.code, "KEY_FORMAT");
    assert.equal(error.exitCode, 2);
    assert.match(error.message, /^1 of 2 key files cannot be used:\n/);
    assert.ok(error.message.includes(`\n  ${dir.at("bad.key")}: no private key that can be read`));
    assert.ok(!error.message.includes("good.key"));
    assert.match(error.message, /--keep-going$/);
    assert.equal(engine.held, 0);
  });

  test("is named with all others: ten of them, and the number of the rest", async () => {
    for (let n = 10; n < 22; n++) dir.write(`${n}.key`, "no key");
    const error = await loadFails();
    const lines = error.message.split("\n");
    assert.match(lines[0]!, /^12 of 12 key files/);
    assert.deepEqual(
      lines.slice(1, 11).map((line) => /\d+\.key/.exec(line)?.[0]),
      Array.from({ length: 10 }, (_, n) => `${n + 10}.key`),
    );
    assert.equal(lines[11], "  and 2 more");
    assert.equal(error.failures.length, 12);
  });

  test("leaves the others with keepGoing, and is listed in failures", async () => {
    dir.write("a.key", keys.p256);
    dir.write("b.key", "no key");
    const sources = [{ dir: dir.path }, { dir: dir.at("missing") }, { file: dir.at("none") }];
    const store = await load({ keepGoing: true }, sources);
    expectKeys(store, { "a.key": keys.p256 });
    assert.deepEqual(store.failures.map(({ path, error }) => [path, error.code]), [
      [dir.at("missing"), "FILE_READ"],
      [dir.at("b.key"), "KEY_FORMAT"],
      [dir.at("none"), "FILE_READ"],
    ]);
  });

  test("may be empty, a FIFO, a directory, a loop of links, or a link to nothing", async () => {
    dir.write("empty.key", "");
    execFileSync("mkfifo", [dir.at("fifo.key")]);
    symlinkSync("loop.key", dir.at("loop.key"));
    symlinkSync("nowhere", dir.at("nowhere.key"));
    mkdirSync(dir.at("directory"));
    symlinkSync("directory", dir.at("directory.key"));
    const { failures } = await loadFails();
    const reasons = failures.map(({ error }) => error.message.slice(dir.path.length + 1));
    const wanted = [
      /^directory\.key: is a directory/,
      /^empty\.key: .*empty/,
      /^fifo\.key: is a FIFO/,
      /^loop\.key: cannot be read: too many symbolic links/,
      /^nowhere\.key: cannot be read: no such file/,
    ];
    assert.equal(reasons.length, wanted.length);
    wanted.forEach((pattern, index) => assert.match(reasons[index]!, pattern));
  });

  test("may be a directory, which is not called a file", async () => {
    const error = await load({}, [{ dir: "missing" }]).then(() => undefined, (thrown) => thrown);
    assert.equal(
      error.message,
      "1 of 1 key files and directories of private_key_stores cannot be used:\n" +
        `  missing: cannot be listed: no such file or directory (looked in ${process.cwd()})\n` +
        "mend them or take them away, or serve the others with --keep-going",
    );
  });

  test("may have a name that is not UTF-8, which is said", async () => {
    const make = `mkdir "$(printf 'd\\377')"; : > "$(printf 'a\\377.key')"`;
    execFileSync("sh", ["-c", make], { cwd: dir.path });
    const { failures } = await loadFails();
    assert.deepEqual(
      failures.map(({ kind, error }) => [kind, error.message.slice(dir.path.length + 1)]),
      [
        ["directory", "d\ufffd: cannot be listed: its name is not UTF-8; rename it"],
        ["file", "a\ufffd.key: cannot be read: its name is not UTF-8; rename it"],
      ],
    );
  });

  test("may be too large by a byte; at the limit a key is read", async () => {
    const padding = (bytes: number) => "#".repeat(bytes - keys.p256.length - 1) + "\n" + keys.p256;
    dir.write("a.key", padding(MAX_KEY_FILE_BYTES));
    expectKeys(await load(), { "a.key": keys.p256 });
    dir.write("a.key", padding(MAX_KEY_FILE_BYTES + 1));
    const { message } = await loadFails();
    assert.match(message, /a\.key: is too large: 1048577 bytes, at most 1048576 are read/);
  });

  test("cannot forge lines of the message by its name", async () => {
    dir.write("x\n0 of 0 key files\u001b[2J.key", "no key");
    const { message } = await loadFails();
    assert.equal(message.split("\n").length, 3);
    assert.ok(message.includes("x\\u{a}0 of 0 key files\\u{1b}[2J.key: "));
  });

  test("may be weak: an RSA key of 1,024 bits is refused unless that is allowed", async () => {
    dir.write("weak.key", keys.weak);
    const error = await loadFails();
    assert.equal(error.code, "KEY_WEAK");
    assert.match(error.message, /weak\.key: .*--allow-weak-keys/);
    expectKeys(await load({ allowWeak: true }), { "weak.key": keys.weak });
  });
});

describe("an encrypted key file", () => {
  const secret = "correct horse";
  const passphrase = new TextEncoder().encode(secret);
  let pem: Uint8Array;
  before(() => {
    pem = openssl(["pkcs8", "-topk8", "-passout", `pass:${secret}`], makeP256());
  });
  beforeEach(() => {
    dir.write("a.key", pem);
  });

  test("is opened by its passphrase, which stays the caller's", async () => {
    const store = await load({ passphrase });
    assert.equal(store.keys.length, 1);
    assert.equal(new TextDecoder().decode(passphrase), secret);
  });

  test("is refused without one, and by a wrong one, which is not shown", async () => {
    const missing = await loadFails();
    assert.equal(missing.code, "KEY_PASSPHRASE");
    assert.match(missing.message, /a\.key: .*encrypted.*--passphrase-file/);
    const wrong = await loadFails({ passphrase: new TextEncoder().encode("battery staple") });
    assert.equal(wrong.code, "KEY_PASSPHRASE");
    assert.ok(!wrong.message.includes("battery"));
  });
});

describe("warnings", () => {
  type Warning = [name: string, kind: KeyWarning, message: string];

  async function warningsOf(): Promise<Warning[]> {
    const warnings: Warning[] = [];
    await load({
      onWarning: (path, message, kind) =>
        warnings.push([path.slice(dir.path.length + 1), kind, message]),
    });
    return warnings;
  }

  test("name each file that others may use, with its permissions", async () => {
    const modes = { "a.key": 0o600, "b.key": 0o640, "c.key": 0o604, "d.key": 0o400 };
    for (const [name, mode] of Object.entries(modes)) {
      dir.write(name, makeP256());
      chmodSync(dir.at(name), mode);
    }
    assert.deepEqual(await warningsOf(), [
      ["b.key", "open", "is open to others (mode 0640); chmod 600 it"],
      ["c.key", "open", "is open to others (mode 0604); chmod 600 it"],
    ]);
  });

  test("name a file of several private keys, of which one is served", async () => {
    dir.write("a.key", keys.p256 + keys.other);
    dir.write("b.key", new TextDecoder().decode(openssl(["ec"], makeP256())));
    const message = "holds 2 private keys; only the first is served";
    assert.deepEqual(await warningsOf(), [["a.key", "several", message]]);
    assert.equal(open[0]!.keys.length, 2);
  });

  test("name both files of a key that stands twice, which is kept once", async () => {
    dir.write("a.key", keys.p256);
    dir.write("b.key", openssl(["pkey", "-outform", "DER"], keys.p256));
    symlinkSync("a.key", dir.at("c.key"));
    const message = `holds the same key as ${dir.at("a.key")}, which is used`;
    assert.deepEqual(await warningsOf(), [["b.key", "repeated", message], [
      "c.key",
      "repeated",
      message,
    ]]);
    expectKeys(open[0]!, { "a.key": keys.p256 });
    assert.equal(engine.held, 1);
  });
});
