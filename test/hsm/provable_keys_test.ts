import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { describePublicKey } from "../../src/crypto/public_key.ts";
import { digestOf } from "../../src/crypto/verify.ts";
import type { HsmStore } from "../../src/hsm/hsm_store.ts";
import { provableTokenKeys } from "../../src/hsm/provable_keys.ts";
import { proveKeys } from "../../src/keystore/prove_keys.ts";
import { openStore } from "../support/hsm_store.ts";
import { keyOf, openssl, publicKeyOf } from "../support/openssl.ts";
import { makeSoftHsm, type SoftHsm, softHsmPath } from "../support/softhsm.ts";

const SLOW = { timeout: 30_000 };

let hsm: SoftHsm;
let store: HsmStore;
before(async () => {
  hsm = makeSoftHsm();
  hsm.addToken("prod");
  hsm.importKey("prod", keyOf("RSA 2048"), { label: "rsa", id: "01" });
  hsm.importKey("prod", keyOf("P-256"), { label: "right", id: "02" });
  hsm.importKey("prod", keyOf("P-384"), { label: "wrong", id: "03" });
  hsm.tool("prod", "--delete-object", "--type", "pubkey", "--id", "03");
  // the certificate of another key
  const key = hsm.dir.write(
    "other.key",
    openssl(["ecparam", "-name", "P-384", "-genkey", "-noout"]),
  );
  const request = ["req", "-x509", "-key", key, "-subj", "/CN=other", "-outform", "DER"];
  const certificate = hsm.dir.write("other.der", openssl(request));
  hsm.tool("prod", "--write-object", certificate, "--type", "cert", "--id", "03", "--label", "c");
  store = await openStore([`pkcs11:token=prod?module-path=${softHsmPath()}`], hsm.env);
});
after(async () => {
  await store.close();
  hsm.remove();
});

describe("the proof of a token's keys", () => {
  test("withdraws the one that has another key's certificate, and no other", SLOW, async () => {
    const failures: string[] = [];
    const proof = proveKeys(provableTokenKeys(store), {
      signal: new AbortController().signal,
      onFailure: (position, why) => failures.push(`${store.keys[position]!.name} ${why}`),
    });
    assert.equal(proof.counts().pending, 3);
    await proof.done;
    assert.deepEqual(proof.counts(), { pending: 0, passed: 2, failed: 1 });
    assert.equal(failures.length, 1);
    assert.match(
      failures[0]!,
      /^"wrong" \(id=%03\) makes signatures that do not verify, and is not/,
    );
    assert.match(failures[0]!, /public key or certificate is another key's: see keyless hsm keys$/);
    const digest = digestOf("ecdsa-sha256", Uint8Array.of(1));
    for (const [position, { name }] of store.keys.entries()) {
      const scheme = name.includes("rsa") ? "rsa-sha256" : "ecdsa-sha256";
      const signing = store.sign(position, scheme, digest);
      if (name.includes("wrong")) await assert.rejects(signing, { code: "KEY_WITHDRAWN" });
      else assert.ok((await signing).length > 0);
    }
  });

  test("ends at once, whatever the token does, and leaves out what decrypts alone", async () => {
    const info = describePublicKey(publicKeyOf(keyOf("RSA 2048")));
    const ended = new AbortController();
    const hanging = {
      keys: [
        { info, mechanisms: ["CKM_RSA_X_509"], entry: "", name: "" },
        { info, mechanisms: ["CKM_RSA_PKCS_PSS"], entry: "", name: "" },
      ],
      size: 2,
      sign: () => {
        queueMicrotask(() => ended.abort());
        return new Promise<never>(() => {});
      },
      withdraw: () => assert.fail("nothing is known of the key"),
    } as const;
    const onFailure = () => assert.fail("nothing is known of the key");
    const proof = proveKeys(provableTokenKeys(hanging), { signal: ended.signal, onFailure });
    await proof.done;
    assert.deepEqual(proof.counts(), { pending: 1, passed: 0, failed: 0 });
  });
});
