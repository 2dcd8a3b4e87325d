import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, renameSync, symlinkSync } from "node:fs";
import { relative } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { type KeySource, listKeyFiles } from "../../src/keystore/key_files.ts";
import { makeTempDir, type TempDir } from "../support/temp_dir.ts";

let dir: TempDir;
beforeEach(() => {
  dir = makeTempDir();
});
afterEach(() => dir.remove());

async function list(...sources: KeySource[]): Promise<string[]> {
  const { paths, failures } = await listKeyFiles(sources, () => Promise.resolve());
  assert.deepEqual(failures, []);
  return paths.map((path) => relative(dir.path, path));
}

describe("listKeyFiles", () => {
  test("finds what ends in .key and nothing else, by name", async () => {
    for (const name of ["b.key", "a.key", ".key", ".hidden.key", "a.key.bak", "a.KEY", "key"]) {
      dir.write(name, "");
    }
    assert.deepEqual(await list({ dir: dir.path }), [".hidden.key", ".key", "a.key", "b.key"]);
  });

  test("looks into directories of any depth, their own files first", async () => {
    mkdirSync(dir.at("b", "c"), { recursive: true });
    mkdirSync(dir.at("a.key"));
    for (const name of ["b/c/z.key", "b/y.key", "a.key/x.key", "w.key"]) dir.write(name, "");
    assert.deepEqual(await list({ dir: dir.path }), [
      "w.key",
      "a.key/x.key",
      "b/y.key",
      "b/c/z.key",
    ]);
  });

  test("follows a link to a file, and to the directory that was named, but none further down", async () => {
    mkdirSync(dir.at("real", "sub"), { recursive: true });
    dir.write("real/sub/a.key", "");
    symlinkSync("sub/a.key", dir.at("real", "b.key"));
    symlinkSync("sub", dir.at("real", "linked"));
    symlinkSync("..", dir.at("real", "sub", "up"));
    symlinkSync("real", dir.at("top"));
    assert.deepEqual(await list({ dir: dir.at("top") }), ["top/b.key", "top/sub/a.key"]);
  });

  test("finds the keys of a Kubernetes volume once, before and after an update", async () => {
    mkdirSync(dir.at("..2026_01_01"));
    dir.write("..2026_01_01/a.key", "");
    symlinkSync("..2026_01_01", dir.at("..data"));
    symlinkSync("..data/a.key", dir.at("a.key"));
    assert.deepEqual(await list({ dir: dir.path }), ["a.key"]);

    mkdirSync(dir.at("..2026_02_02"));
    dir.write("..2026_02_02/a.key", "");
    symlinkSync("..2026_02_02", dir.at("..data_tmp"));
    renameSync(dir.at("..data_tmp"), dir.at("..data"));
    assert.deepEqual(await list({ dir: dir.path }), ["a.key"]);
  });

  test("lists a FIFO, a broken link and a loop, so that reading them can say what they are", async () => {
    execFileSync("mkfifo", [dir.at("fifo.key")]);
    symlinkSync("nowhere", dir.at("broken.key"));
    symlinkSync("loop.key", dir.at("loop.key"));
    assert.deepEqual(await list({ dir: dir.path }), ["broken.key", "fifo.key", "loop.key"]);
  });

  test("takes a file of any name, in the order of the sources, and each path once", async () => {
    mkdirSync(dir.at("keys"));
    dir.write("keys/a.key", "");
    const sources = [
      { file: dir.at("z.pem") },
      { dir: dir.at("keys") },
      { file: `${dir.path}/keys/../keys/a.key` },
      { dir: `${dir.at("keys")}/` },
    ];
    assert.deepEqual(await list(...sources), ["z.pem", "keys/a.key"]);
  });

  test("names each directory that cannot be listed, and goes on", async () => {
    mkdirSync(dir.at("keys"));
    dir.write("keys/a.key", "");
    const { paths, failures } = await listKeyFiles(
      [{ dir: dir.at("missing") }, { dir: dir.at("keys", "a.key") }, { dir: dir.at("keys") }],
      () => Promise.resolve(),
    );
    assert.deepEqual(paths, [dir.at("keys", "a.key")]);
    assert.deepEqual(failures.map(({ error }) => [error.code, error.message]), [
      ["FILE_READ", `${dir.at("missing")}: cannot be listed: no such file or directory`],
      ["FILE_READ", `${dir.at("keys", "a.key")}: cannot be listed: not a directory`],
    ]);
  });
});
