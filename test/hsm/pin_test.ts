import assert from "node:assert/strict";
import process from "node:process";
import { afterEach, beforeEach, describe, test } from "node:test";
import { readPin } from "../../src/hsm/pin.ts";
import { parseUri } from "../../src/hsm/uri.ts";
import { makeTempDir, type TempDir } from "../support/temp_dir.ts";

let dir: TempDir;
beforeEach(() => {
  dir = makeTempDir();
});
afterEach(() => {
  dir.remove();
  delete process.env[VARIABLE];
});

describe("readPin", () => {
  test("takes the first line of a file, without its end", () => {
    const pin = readPin(parseUri(`pkcs11:?pin-source=file:${dir.write("pin", "12 34\nrest")}`));
    assert.equal(textOf(pin), "12 34");
  });

  test("warns of a file that others may read, without the PIN", () => {
    const warnings: string[] = [];
    const path = dir.write("pin", "1234", 0o644);
    readPin(parseUri(`pkcs11:?pin-source=${path}`), (warning) => warnings.push(warning));
    assert.deepEqual(warnings, [
      `the PIN file ${path} is open to others (mode 0644); chmod 600 it`,
    ]);
  });

  test("takes a variable of the environment", () => {
    process.env[VARIABLE] = "päss";
    assert.equal(textOf(readPin(parseUri(`pkcs11:?pin-source=env:${VARIABLE}`))), "päss");
  });

  test("takes the value in the URI, a fresh copy each time", () => {
    const uri = parseUri("pkcs11:?pin-value=1234");
    readPin(uri)?.fill(0);
    assert.equal(textOf(readPin(uri)), "1234");
  });

  test("gives nothing where the URI names no PIN", () => {
    assert.equal(readPin(parseUri("pkcs11:token=a")), undefined);
  });

  test("says what to do where there is no PIN to be had", () => {
    const read = (source: string) => () => readPin(parseUri(`pkcs11:?pin-source=${source}`));
    assert.throws(read(`env:${VARIABLE}`), { code: "HSM_PIN", message: /is not set; set it/ });
    process.env[VARIABLE] = "";
    assert.throws(read(`env:${VARIABLE}`), { code: "HSM_PIN", message: /is empty; set it/ });
    assert.throws(read(dir.write("pin", "\n")), { code: "HSM_PIN", message: /empty line/ });
    assert.throws(read(dir.at("none")), { code: "FILE_READ", message: /the PIN file .*none/ });
    assert.throws(read(dir.write("big", "1".repeat(5_000))), { code: "FILE_READ" });
  });
});

const VARIABLE = "KEYLESS_TEST_PIN";

function textOf(bytes: Uint8Array | undefined): string {
  assert.ok(bytes !== undefined);
  return new TextDecoder().decode(bytes);
}
