import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, symlinkSync } from "node:fs";
import process from "node:process";
import { afterEach, before, beforeEach, describe, test } from "node:test";
import { MAX_KEY_FILE_BYTES } from "../../src/crypto/key_errors.ts";
import type { KeyWarning } from "../../src/keystore/file_store.ts";
import { makePem, opensslOf, StoreFixture } from "../support/store_fixture.ts";

const keys = {
  p256: makePem("P-256"),
  other: makePem("P-256"),
  weak: makePem("RSA 1024"),
};

let fixture: StoreFixture;
beforeEach(() => {
  fixture = new StoreFixture();
});
afterEach(() => fixture.end());

describe("a key file that cannot be used", () => {
  test("stops the loading, named with its reason; no key is kept", async () => {
    fixture.dir.write("good.key", keys.p256);
    fixture.dir.write("bad.key", "no key");
    const error = await fixture.loadFails();
    assert.equal(error.code, "KEY_FORMAT");
    assert.equal(error.exitCode, 2);
    assert.match(error.message, /^1 of 2 key files cannot be used:\n/);
    assert.ok(
      error.message.includes(`\n  ${fixture.dir.at("bad.key")}: no private key that can be read`),
    );
    assert.ok(!error.message.includes("good.key"));
    assert.match(error.message, /--keep-going$/);
    assert.equal(fixture.engine.held, 0);
  });

  test("is named with all others: ten of them, and the number of the rest", async () => {
    for (let n = 10; n < 22; n++) fixture.dir.write(`${n}.key`, "no key");
    const error = await fixture.loadFails();
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
    fixture.dir.write("a.key", keys.p256);
    fixture.dir.write("b.key", "no key");
    const sources = [{ dir: fixture.dir.path }, { dir: fixture.dir.at("missing") }, {
      file: fixture.dir.at("none"),
    }];
    const store = await fixture.load({ keepGoing: true }, sources);
    fixture.expectKeys(store, { "a.key": keys.p256 });
    assert.deepEqual(store.failures.map(({ path, error }) => [path, error.code]), [
      [fixture.dir.at("missing"), "FILE_READ"],
      [fixture.dir.at("b.key"), "KEY_FORMAT"],
      [fixture.dir.at("none"), "FILE_READ"],
    ]);
  });

  test("may be empty, a FIFO, a directory, a loop of links, or a link to nothing", async () => {
    fixture.dir.write("empty.key", "");
    execFileSync("mkfifo", [fixture.dir.at("fifo.key")]);
    symlinkSync("loop.key", fixture.dir.at("loop.key"));
    symlinkSync("nowhere", fixture.dir.at("nowhere.key"));
    mkdirSync(fixture.dir.at("directory"));
    symlinkSync("directory", fixture.dir.at("directory.key"));
    const { failures } = await fixture.loadFails();
    const reasons = failures.map(({ error }) => error.message.slice(fixture.dir.path.length + 1));
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
    const error = await fixture.load({}, [{ dir: "missing" }]).then(
      () => undefined,
      (thrown) => thrown,
    );
    assert.equal(
      error.message,
      "1 of 1 key files and directories of private_key_stores cannot be used:\n" +
        `  missing: cannot be listed: no such file or directory (looked in ${process.cwd()})\n` +
        "mend them or take them away, or serve the others with --keep-going",
    );
  });

  test("may have a name that is not UTF-8, which is said", async () => {
    const make = `mkdir "$(printf 'd\\377')"; : > "$(printf 'a\\377.key')"`;
    execFileSync("sh", ["-c", make], { cwd: fixture.dir.path });
    const { failures } = await fixture.loadFails();
    assert.deepEqual(
      failures.map(({ kind, error }) => [kind, error.message.slice(fixture.dir.path.length + 1)]),
      [
        ["directory", "d\ufffd: cannot be listed: its name is not UTF-8; rename it"],
        ["file", "a\ufffd.key: cannot be read: its name is not UTF-8; rename it"],
      ],
    );
  });

  test("may be too large by a byte; at the limit a key is read", async () => {
    const padding = (bytes: number) => "#".repeat(bytes - keys.p256.length - 1) + "\n" + keys.p256;
    fixture.dir.write("a.key", padding(MAX_KEY_FILE_BYTES));
    fixture.expectKeys(await fixture.load(), { "a.key": keys.p256 });
    fixture.dir.write("a.key", padding(MAX_KEY_FILE_BYTES + 1));
    const { message } = await fixture.loadFails();
    assert.match(message, /a\.key: is too large: 1048577 bytes, at most 1048576 are read/);
  });

  test("cannot forge lines of the message by its name", async () => {
    fixture.dir.write("x\n0 of 0 key files\u001b[2J.key", "no key");
    const { message } = await fixture.loadFails();
    assert.equal(message.split("\n").length, 3);
    assert.ok(message.includes("x\\u{a}0 of 0 key files\\u{1b}[2J.key: "));
  });

  test("may be weak: an RSA key of 1,024 bits is refused unless that is allowed", async () => {
    fixture.dir.write("weak.key", keys.weak);
    const error = await fixture.loadFails();
    assert.equal(error.code, "KEY_WEAK");
    assert.match(error.message, /weak\.key: .*--allow-weak-keys/);
    fixture.expectKeys(await fixture.load({ allowWeak: true }), { "weak.key": keys.weak });
  });
});

describe("an encrypted key file", () => {
  const secret = "correct horse";
  const passphrase = new TextEncoder().encode(secret);
  let pem: Uint8Array;
  before(() => {
    pem = opensslOf(makePem("P-256"), "pkcs8", "-topk8", "-passout", `pass:${secret}`);
  });
  beforeEach(() => {
    fixture.dir.write("a.key", pem);
  });

  test("is opened by its passphrase, which stays the caller's", async () => {
    const store = await fixture.load({ passphrase });
    assert.equal(store.size, 1);
    assert.equal(new TextDecoder().decode(passphrase), secret);
  });

  test("is refused without one, and by a wrong one, which is not shown", async () => {
    const missing = await fixture.loadFails();
    assert.equal(missing.code, "KEY_PASSPHRASE");
    assert.match(missing.message, /a\.key: .*encrypted.*--passphrase-file/);
    const wrong = await fixture.loadFails({
      passphrase: new TextEncoder().encode("battery staple"),
    });
    assert.equal(wrong.code, "KEY_PASSPHRASE");
    assert.ok(!wrong.message.includes("battery"));
  });
});

describe("warnings", () => {
  type Warning = [name: string, kind: KeyWarning, message: string];

  async function warningsOf(): Promise<Warning[]> {
    const warnings: Warning[] = [];
    await fixture.load({
      onWarning: (path, message, kind) =>
        warnings.push([path.slice(fixture.dir.path.length + 1), kind, message]),
    });
    return warnings;
  }

  test("name each file that others may use, with its permissions", async () => {
    const modes = { "a.key": 0o600, "b.key": 0o640, "c.key": 0o604, "d.key": 0o400 };
    for (const [name, mode] of Object.entries(modes)) {
      fixture.dir.write(name, makePem("P-256"));
      chmodSync(fixture.dir.at(name), mode);
    }
    assert.deepEqual(await warningsOf(), [
      ["b.key", "open", "is open to others (mode 0640); chmod 600 it"],
      ["c.key", "open", "is open to others (mode 0604); chmod 600 it"],
    ]);
  });

  test("name a file of several private keys, of which one is served", async () => {
    fixture.dir.write("a.key", keys.p256 + keys.other);
    fixture.dir.write("b.key", new TextDecoder().decode(opensslOf(makePem("P-256"), "ec")));
    const message = "holds 2 private keys; only the first is served";
    assert.deepEqual(await warningsOf(), [["a.key", "several", message]]);
    assert.equal(fixture.open[0]!.size, 2);
  });

  test("name both files of a key that stands twice, which is kept once", async () => {
    fixture.dir.write("a.key", keys.p256);
    fixture.dir.write("b.key", opensslOf(keys.p256, "pkey", "-outform", "DER"));
    symlinkSync("a.key", fixture.dir.at("c.key"));
    const message = `holds the same key as ${fixture.dir.at("a.key")}, which is used`;
    assert.deepEqual(await warningsOf(), [["b.key", "repeated", message], [
      "c.key",
      "repeated",
      message,
    ]]);
    fixture.expectKeys(fixture.open[0]!, { "a.key": keys.p256 });
    assert.equal(fixture.engine.held, 1);
  });
});
