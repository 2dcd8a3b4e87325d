import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { EcKeys } from "../../src/crypto/libcrypto/ec_keys.ts";
import { LibcryptoEngine } from "../../src/crypto/libcrypto_engine.ts";
import { DIGEST_BYTES } from "../../src/crypto/scheme.ts";
import { openLibcrypto } from "../../src/runtime/libcrypto.ts";
import { keyOf } from "../support/openssl.ts";

const libcrypto = openLibcrypto();

describe("an EC key's private value", () => {
  for (const kind of ["P-224", "P-256", "P-384", "P-521"] as const) {
    test(`is left nowhere but in its own memory when ${kind} has signed`, () => {
      const made: number[] = [];
      const watched = {
        ...libcrypto,
        EC_KEY_new_by_curve_name: (nid: number) => {
          made.push(libcrypto.EC_KEY_new_by_curve_name(nid));
          return made.at(-1)!;
        },
      };
      const engine = new LibcryptoEngine(libcrypto);
      const key = engine.load(keyOf(kind));
      const ecKeys = new EcKeys(watched);
      const digest = new Uint8Array(DIGEST_BYTES.sha256);
      assert.ok(ecKeys.sign(key.handle as number, key.info.bits, digest));
      assert.equal(made.length, 1);
      assert.equal(ecKeys.copy(made[0]!, key.info.bits), 0);
      assert.ok(ecKeys.sign(key.handle as number, key.info.bits, digest), "and it signs again");
      engine.free(key);
    });
  }
});
