import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, symlinkSync } from "node:fs";
import { createServer, type Server } from "node:net";
import process from "node:process";
import { afterEach, beforeEach, describe, test } from "node:test";
import { KeylessError } from "../../src/errors/errors.ts";
import { readRegularFile } from "../../src/keystore/read_file.ts";
import { makeTempDir, type TempDir } from "../support/temp_dir.ts";

let dir: TempDir;
beforeEach(() => {
  dir = makeTempDir();
});
afterEach(() => dir.remove());

function refuses(path: string, reason: RegExp): void {
  assert.throws(() => readRegularFile(path, 100), (error) => {
    assert.ok(error instanceof KeylessError);
    assert.equal(error.code, "FILE_READ");
    assert.match(error.message, reason);
    assert.ok(!error.message.includes(path), "the reason alone");
    return true;
  });
}

describe("readRegularFile", () => {
  test("gives a file's bytes and its permissions", () => {
    const path = dir.write("file", "hello");
    chmodSync(path, 0o640);
    const { bytes, mode } = readRegularFile(path, 100);
    assert.equal(new TextDecoder().decode(bytes), "hello");
    assert.equal(mode, 0o640);
  });

  test("follows links, and gives the permissions of the file that they lead to", () => {
    chmodSync(dir.write("file", "hello"), 0o400);
    symlinkSync("file", dir.at("link"));
    symlinkSync("link", dir.at("link2"));
    const { bytes, mode } = readRegularFile(dir.at("link2"), 100);
    assert.equal(new TextDecoder().decode(bytes), "hello");
    assert.equal(mode, 0o400);
  });

  test("reads a file of the limit, and refuses one of a byte more", () => {
    assert.equal(readRegularFile(dir.write("file", "x".repeat(100)), 100).bytes.length, 100);
    refuses(dir.write("file", "x".repeat(101)), /too large: 101 bytes, at most 100 are read/);
  });

  test("gives no bytes of an empty file", () => {
    assert.equal(readRegularFile(dir.write("file", ""), 100).bytes.length, 0);
  });

  test("refuses what is missing, what a broken link leads to, and a loop of links", () => {
    refuses(dir.at("missing"), /cannot be read: no such file or directory$/);
    symlinkSync("missing", dir.at("link"));
    refuses(dir.at("link"), /cannot be read: no such file or directory$/);
    symlinkSync("loop", dir.at("loop"));
    refuses(dir.at("loop"), /cannot be read: too many symbolic links encountered$/);
  });

  test("says where a relative path was looked for, and what is wrong with an empty one", () => {
    refuses("missing", /cannot be read: no such file or directory \(looked in \/.*\)$/);
    assert.throws(() => readRegularFile("", 100), { message: "cannot be read: the name is empty" });
  });

  test("refuses a directory, a FIFO and a device, without waiting for a writer", () => {
    mkdirSync(dir.at("directory"));
    refuses(dir.at("directory"), /is a directory/);
    execFileSync("mkfifo", [dir.at("fifo")]);
    refuses(dir.at("fifo"), /is a FIFO/);
    refuses("/dev/zero", /is a device/);
  });

  test("refuses a socket", async () => {
    const server = await new Promise<Server>((resolve) => {
      const started: Server = createServer().listen(dir.at("socket"), () => resolve(started));
    });
    refuses(dir.at("socket"), /is a socket/);
    await new Promise((resolve) => server.close(resolve));
  });

  test("says what the system says where it does not let us read (root: of another obstacle)", () => {
    const path = dir.write("file", "hello");
    if (process.getuid?.() === 0) { // root reads every file
      refuses(dir.at("file", "below"), /cannot be read: not a directory$/);
    } else {
      chmodSync(path, 0);
      refuses(path, /cannot be read: permission denied$/);
    }
  });
});
