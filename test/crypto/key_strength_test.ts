import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { checkStrength } from "../../src/crypto/key_strength.ts";
import { describePublicKey } from "../../src/crypto/public_key.ts";
import { selectEngine } from "../../src/crypto/select_engine.ts";
import { keyOf, publicKeyOf, rsaOfPrimes } from "../support/openssl.ts";

/** Checks a key of another size than the one that it is made from. */
function checkRsa(bits: number, allowWeak = false): void {
  const info = describePublicKey(publicKeyOf(keyOf("RSA 2048")));
  checkStrength({ ...info, bits }, { allowWeak });
}

describe("checkStrength of RSA", () => {
  test("takes 2,048 bits, and refuses 2,047 but where weak keys are allowed", () => {
    checkRsa(2_048);
    const message = /an RSA key of 2047 bits is too short.*2048 or more, or give --allow-weak-keys/;
    assert.throws(() => checkRsa(2_047), { code: "KEY_WEAK", message });
    checkRsa(2_047, true);
  });

  test("takes 1,024 bits where weak keys are allowed, and never 1,023", () => {
    checkRsa(1_024, true);
    assert.throws(() => checkRsa(1_024), { code: "KEY_WEAK" });
    const message = /an RSA key of 1023 bits is never used/;
    assert.throws(() => checkRsa(1_023, true), { code: "KEY_WEAK", message });
  });

  test("takes 16,384 bits, and refuses 16,385, weak keys allowed or not", () => {
    for (const allowWeak of [false, true]) {
      checkRsa(16_384, allowWeak);
      const message = /an RSA key of 16385 bits .*the most is 16384 bits/;
      assert.throws(() => checkRsa(16_385, allowWeak), { code: "KEY_UNSUPPORTED", message });
    }
  });

  test("has no limits for other keys", () => {
    const info = describePublicKey(publicKeyOf(keyOf("Ed25519")));
    checkStrength(info, {});
  });
});

for (const choice of ["libcrypto", "portable"] as const) {
  test(`the ${choice} engine loads RSA of 2,048 bits, and refuses 2,047`, () => {
    const engine = selectEngine(choice);
    const pem = rsaOfPrimes(1_024, 1_023);
    const message = /2047 bits is too short/;
    assert.throws(() => engine.load(pem.slice()), { code: "KEY_WEAK", message });
    const weak = engine.load(pem.slice(), { allowWeak: true });
    assert.equal(weak.info.bits, 2_047);
    const key = engine.load(keyOf("RSA 2048").slice());
    assert.equal(key.info.bits, 2_048);
    for (const each of [weak, key]) engine.free(each);
  });
}
