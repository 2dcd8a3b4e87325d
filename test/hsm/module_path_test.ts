import assert from "node:assert/strict";
import { mkdirSync, realpathSync, symlinkSync } from "node:fs";
import { afterEach, beforeEach, describe, test } from "node:test";
import { findModule, findUsualModules } from "../../src/hsm/module_path.ts";
import { parseUri } from "../../src/hsm/uri.ts";
import { makeTempDir, type TempDir } from "../support/temp_dir.ts";

let dir: TempDir;
beforeEach(() => {
  dir = makeTempDir();
});
afterEach(() => dir.remove());

const find = (query: string) => findModule(parseUri(`pkcs11:?${query}`));

describe("findModule", () => {
  test("finds SoftHSM by its name, where the system's packages put it", () => {
    assert.match(find("module-name=softhsm2"), /^\/usr\/.*\/libsofthsm2\.so$/);
  });

  test("gives one path for a module, however it is named", () => {
    const file = dir.write("libx.so", "");
    symlinkSync(file, dir.at("link.so"));
    assert.equal(find(`module-path=${dir.at("link.so")}`), realpathSync(file));
    assert.equal(find(`module-path=${dir.path}&module-name=x`), realpathSync(file));
  });

  test("says what it has tried", () => {
    assert.throws(() => find("module-name=nonesuch"), {
      code: "HSM_MODULE",
      message:
        /module nonesuch\. Looked for \[lib\]nonesuch\.so in \/usr\/lib.*\/opt\/.* module-path/,
    });
    assert.throws(() => find(`module-path=${dir.path}&module-name=x`), {
      code: "HSM_MODULE",
      message: new RegExp(`Looked for \\[lib\\]x.so in ${dir.path}\\. `),
    });
  });

  const REFUSED: readonly (readonly [what: string, query: () => string, message: RegExp])[] = [
    ["a URI without a module", () => "", /names no module; add \?module-name/],
    ["a folder", () => `module-path=${dir.path}`, /is a folder; name the module's file/],
    ["a file that is not there", () => `module-path=${dir.path}/n`, /n cannot be opened: no such/],
    ["what is no file", () => "module-path=/dev/null", /\/dev\/null is no file/],
    ["control characters, escaped", () => "module-path=/%1B%5B1m", /\/\\u\{1b\}\[1m cannot/],
  ];
  for (const [what, query, message] of REFUSED) {
    test(`refuses ${what}`, () => {
      assert.throws(() => find(query()), { code: "HSM_MODULE", message });
    });
  }

  test("does not take a folder for a module", () => {
    mkdirSync(dir.at("libx.so"));
    assert.throws(() => find(`module-path=${dir.path}&module-name=x`), { code: "HSM_MODULE" });
  });
});

describe("findUsualModules", () => {
  test("finds what is installed, each once, and says where it has looked", () => {
    const { found, tried } = findUsualModules();
    assert.ok(found.includes(find("module-name=softhsm2")));
    assert.equal(new Set(found).size, found.length);
    assert.ok(tried.includes("/opt/cloudhsm/lib/libcloudhsm_pkcs11.so"));
    assert.deepEqual(tried.filter((path) => path.startsWith("/usr/local/")), []);
  });
});
