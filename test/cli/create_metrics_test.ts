import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { after, before, test } from "node:test";
import { storeGauges } from "../../cli/create_metrics.ts";
import { selectEngine } from "../../src/crypto/select_engine.ts";
import { type FileStore, loadFileStore } from "../../src/keystore/file_store.ts";
import type { KeySource } from "../../src/keystore/key_files.ts";
import { keyOf, makeKey } from "../support/openssl.ts";
import { makeTempDir, type TempDir } from "../support/temp_dir.ts";

let dir: TempDir;
let store: FileStore;
let entries: KeySource[];

before(async () => {
  dir = makeTempDir();
  for (const name of ["a", "a/deep", "ab", "none"]) mkdirSync(dir.at(name));
  dir.write("a/1.key", keyOf("P-256"));
  dir.write("a/deep/2.key", makeKey("P-256"));
  dir.write("a/broken.key", "no key");
  dir.write("ab/3.key", keyOf("Ed25519"));
  const single = dir.write("single.pem", keyOf("P-384"));
  entries = [
    { dir: dir.at("a") },
    { dir: `${dir.at("none")}/../ab/` },
    { dir: dir.at("none") },
    { dir: dir.at("gone") },
    { file: single },
    { file: dir.at("gone.key") },
  ];
  store = await loadFileStore(entries, { engine: selectEngine("libcrypto"), keepGoing: true });
});
after(() => {
  store.close();
  dir.remove();
});

test("every entry of private_key_stores has its own numbers, single files theirs together", () => {
  assert.deepEqual(storeGauges({ private_key_stores: entries }, store), [
    { store: `dir:${dir.at("a")}`, keys: { "EC P-256": 2 }, failures: 1 },
    { store: `dir:${dir.at("none")}/../ab/`, keys: { Ed25519: 1 }, failures: 0 },
    { store: `dir:${dir.at("none")}`, keys: {}, failures: 0 },
    { store: `dir:${dir.at("gone")}`, keys: {}, failures: 1 },
    { store: "files", keys: { "EC P-384": 1 }, failures: 1 },
  ]);
});
