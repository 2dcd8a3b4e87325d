import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, test } from "node:test";
import { LIBCRYPTO_PATHS, libcryptoVersion, openLibcrypto } from "../../src/runtime/libcrypto.ts";
import { LIBC_PATHS } from "../../src/runtime/process.ts";
import { systemLibraryPaths } from "../../src/runtime/system_library.ts";
import { openssl } from "../support/openssl.ts";
import { makeTempDir } from "../support/temp_dir.ts";

describe("openLibcrypto", () => {
  test("opens the library that the openssl command uses", () => {
    const shown = Buffer.from(openssl(["version"])).toString();
    assert.ok(shown.includes(`Library: ${libcryptoVersion(openLibcrypto())}`));
  });

  test("passes over what is no libcrypto", () => {
    const dir = makeTempDir();
    const paths = [dir.at("absent"), dir.write("text", "no library"), ...LIBCRYPTO_PATHS];
    assert.match(libcryptoVersion(openLibcrypto(paths)), /^OpenSSL 3\./);
    dir.remove();
  });

  test("names every path with what stood in its way, and how to install OpenSSL", () => {
    const dir = makeTempDir();
    const paths = [dir.at("absent"), dir.write("text", "no library"), ...LIBC_PATHS];
    assert.throws(() => openLibcrypto(paths), (error: Error & { code: string }) => {
      assert.equal(error.code, "ENGINE_MISSING");
      assert.match(error.message, /absent \(not there\)/);
      assert.match(error.message, /text \(.+\)/);
      assert.match(error.message, /libc\.so\.6 \(.+\)/);
      assert.match(error.message, /apt-get install libssl3/);
      return true;
    });
    dir.remove();
  });
});

test("system libraries are looked for in the system's folders alone, by absolute paths", () => {
  const paths = systemLibraryPaths("libx.so.1");
  assert.ok(paths.length > 0);
  for (const path of [...paths, ...LIBCRYPTO_PATHS, ...LIBC_PATHS]) {
    assert.match(path, /^\/(usr\/)?lib(64)?\/([a-z0-9_]+-linux-gnu\/)?lib[a-z0-9._-]+$/);
  }
});
