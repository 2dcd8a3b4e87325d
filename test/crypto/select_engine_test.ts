import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, test } from "node:test";
import { ENGINE_CHOICES, selectEngine } from "../../src/crypto/select_engine.ts";
import { keyOf, openssl } from "../support/openssl.ts";

const NOWHERE = ["/nowhere/libcrypto.so.3", "/nowhere/else/libcrypto.so.3"];

describe("selectEngine", () => {
  test("takes the system's OpenSSL by itself, and tells its version as openssl does", () => {
    const library = /Library: (.*)\)/.exec(Buffer.from(openssl(["version"])).toString())![1];
    for (const choice of ["auto", "libcrypto"] as const) {
      const engine = selectEngine(choice);
      assert.equal(engine.name, "libcrypto");
      assert.equal(engine.version, library);
      assert.equal(engine.warning, undefined);
    }
  });

  test("without OpenSSL refuses libcrypto, naming what it tried and what to install", () => {
    assert.throws(() => selectEngine("libcrypto", NOWHERE), {
      code: "ENGINE_MISSING",
      message: new RegExp(
        "/nowhere/libcrypto.so.3 .*/nowhere/else/.*apt-get install libssl3.*dnf install " +
          "openssl-libs.*apk add libcrypto3",
      ),
    });
  });

  test("without OpenSSL serves RSA and Ed25519, and refuses EC keys when they are loaded", () => {
    const engine = selectEngine("auto", NOWHERE);
    assert.equal(engine.name, "portable");
    assert.match(engine.warning!, /EC keys are refused.*\/nowhere\/libcrypto/);
    const rsa = engine.load(keyOf("RSA 2048"));
    assert.equal(engine.sign(rsa, "rsa-sha256", new Uint8Array(32)).length, 256);
    const ed25519 = engine.load(keyOf("Ed25519"));
    assert.equal(engine.sign(ed25519, "ed25519", new Uint8Array(32)).length, 64);
    for (const kind of ["P-224", "P-256", "P-384", "P-521"] as const) {
      assert.throws(() => engine.load(keyOf(kind)), {
        code: "KEY_UNSUPPORTED",
        message: /apt-get install libssl3.*--crypto portable/,
      });
    }
  });

  test("serves EC keys by the portable engine where that is asked for, with a warning", () => {
    const engine = selectEngine("portable");
    assert.equal(engine.name, "portable");
    assert.match(engine.version, /^node:crypto of (Bun|Deno) \d.*, @noble\/curves \d+\.\d+\.\d+$/);
    assert.match(engine.warning!, /timing/);
    const key = engine.load(keyOf("P-256"));
    assert.equal(engine.sign(key, "ecdsa-sha256", new Uint8Array(32))[0], 0x30);
  });

  test("knows every choice that it offers", () => {
    for (const choice of Object.keys(ENGINE_CHOICES) as (keyof typeof ENGINE_CHOICES)[]) {
      assert.equal(typeof selectEngine(choice).version, "string");
    }
  });
});
