import assert from "node:assert/strict";
import { chmodSync } from "node:fs";
import { afterEach, beforeEach, describe, test } from "node:test";
import { KeylessError } from "../../src/errors/errors.ts";
import { readPassphraseFile } from "../../src/keystore/passphrase.ts";
import { makeTempDir, type TempDir } from "../support/temp_dir.ts";

let dir: TempDir;
beforeEach(() => {
  dir = makeTempDir();
});
afterEach(() => dir.remove());

describe("readPassphraseFile", () => {
  const cases: readonly [contents: string, passphrase: string][] = [
    ["secret", "secret"],
    ["secret\n", "secret"],
    ["secret\r\n", "secret"],
    ["secret\nsecond line\n", "secret"],
    [" with  spaces \n", " with  spaces "],
    ["pässwörd\n", "pässwörd"],
    ["a\rb\n", "a\rb"],
  ];
  for (const [contents, passphrase] of cases) {
    test(`takes ${JSON.stringify(passphrase)} from ${JSON.stringify(contents)}`, () => {
      const read = readPassphraseFile(dir.write("pass", contents));
      assert.deepEqual(read, new TextEncoder().encode(passphrase));
    });
  }

  for (const contents of ["", "\n", "\r\n", "\nsecret\n"]) {
    test(`refuses ${JSON.stringify(contents)}, naming the file`, () => {
      const path = dir.write("pass", contents);
      assert.throws(() => readPassphraseFile(path), (error) => {
        assert.ok(error instanceof KeylessError);
        assert.equal(error.code, "KEY_PASSPHRASE");
        assert.ok(error.message.includes(path));
        assert.ok(!error.message.includes("secret"));
        return true;
      });
    });
  }

  test("takes a file of 4,096 bytes and refuses a longer one", () => {
    assert.equal(readPassphraseFile(dir.write("pass", "x".repeat(4_096))).length, 4_096);
    assert.throws(() => readPassphraseFile(dir.write("pass", "x".repeat(4_097))), /too large/);
  });

  test("warns of a file that others may read, and of no other", () => {
    const warnings: string[] = [];
    const path = dir.write("pass", "secret");
    for (const mode of [0o600, 0o400, 0o644]) {
      chmodSync(path, mode);
      readPassphraseFile(path, (message) => warnings.push(message));
    }
    assert.deepEqual(warnings, [
      `the passphrase file ${path} is open to others (mode 0644); chmod 600 it`,
    ]);
  });

  test("names a file that is missing, and why", () => {
    const path = dir.at("missing");
    assert.throws(() => readPassphraseFile(path), (error) => {
      assert.ok(error instanceof KeylessError);
      assert.equal(error.code, "FILE_READ");
      const wanted = `the passphrase file ${path} cannot be read: no such file or directory`;
      assert.equal(error.message, wanted);
      return true;
    });
  });
});
