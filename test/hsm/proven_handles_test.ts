/** A token whose private keys are others than before, under the names that they had. */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { digestOf, verifySignature } from "../../src/crypto/verify.ts";
import type { HsmStore } from "../../src/hsm/hsm_store.ts";
import { HsmEvents, openStore } from "../support/hsm_store.ts";
import { makeKey, openssl } from "../support/openssl.ts";
import { makeSlowModule, type SlowModule } from "../support/slow_module.ts";
import { makeSoftHsm, type SoftHsm } from "../support/softhsm.ts";

const SLOW = { timeout: 60_000 };
const OLD = makeKey("P-256");
const NEW = makeKey("P-256");
const NAME = { label: "k", id: "01" };
const MESSAGE = new TextEncoder().encode("hello");

let hsm: SoftHsm;
let shim: SlowModule;
let events: HsmEvents;
let store: HsmStore;
before(() => {
  hsm = makeSoftHsm();
  shim = makeSlowModule(hsm);
});
after(() => hsm.remove());

let count = 0;
let token = "";
/** Puts a private key alone onto the token, which tells nothing of itself. */
const add = (key: Uint8Array, name = NAME) => {
  hsm.importKey(token, key, name);
  hsm.tool(token, "--delete-object", "--type", "pubkey", "--id", name.id);
};
const removeKey = () => hsm.tool(token, "--delete-object", "--type", "privkey", "--id", "01");
const certify = (key: Uint8Array) => {
  const file = hsm.dir.write("certificate.key", key);
  const der = openssl(["req", "-x509", "-key", file, "-subj", "/CN=hsm", "-outform", "DER"]);
  const object = hsm.dir.write("certificate.der", der);
  const name = ["--id", NAME.id, "--label", NAME.label];
  hsm.tool(token, "--write-object", object, "--type", "cert", ...name);
};
const open = () => {
  const uri = `pkcs11:token=${token}?module-path=${shim.path}&max-sessions=2`;
  return openStore([uri], shim.env, events, (line) => events.told.push(line));
};
/** Whether the signature of the key served first is right. */
const isRight = async () => {
  const signature = await store.sign(0, "ecdsa-sha256", digestOf("ecdsa-sha256", MESSAGE));
  return verifySignature(store.keys[0]!.info, "ecdsa-sha256", MESSAGE, signature);
};

beforeEach(() => {
  events = new HsmEvents();
  token = `token${count++}`;
  hsm.addToken(token);
});
afterEach(() => {
  shim.heal();
  shim.healTrial();
});

describe("a key with a certificate beside it", () => {
  beforeEach(async () => {
    add(OLD);
    certify(OLD);
    store = await open();
    assert.ok(await isRight());
  });
  afterEach(() => store.close());

  test("is missing while another has its place, and found where it is back", SLOW, async () => {
    removeKey();
    add(NEW);
    await assert.rejects(isRight(), { code: "HSM_FAILED", message: /not on the token any more/ });
    await events.event(/^missing on .*: "k"/);
    assert.equal(store.tokens()[0]!.isUp, true);
    removeKey();
    add(OLD);
    await events.event(/^found on .*: "k"/);
    assert.ok(await isRight());
  });

  for (const first of ["old", "new"]) {
    test(`signs on beside another of its name, listed after the ${first}`, SLOW, async () => {
      if (first === "new") removeKey(); // then its handle is not valid
      else shim.fail("drop");
      add(NEW);
      if (first === "new") add(OLD);
      assert.ok(await isRight());
      assert.equal(store.tokens()[0]!.isUp, true);
      assert.deepEqual(events.told, []);
    });
  }

  test("signs on though the module has crashed where it was tried", SLOW, async () => {
    shim.failTrial("crash");
    shim.fail("drop");
    await assert.rejects(isRight(), { code: "HSM_FAILED" });
    await events.event(/^back /);
    assert.ok(await isRight());
    assert.equal(store.modules()[0]!.deaths, 1);
  });

  test("is missing where it makes no signature, and found where it does", SLOW, async () => {
    shim.failTrial(0x6); // CKR_FUNCTION_FAILED
    shim.fail("drop");
    await assert.rejects(isRight(), /not on the token any more/);
    await events.event(/^found on .*: "k"/);
    assert.ok(await isRight());
  });
});

test("of two keys that nothing tells apart none is served, and both are told", SLOW, async () => {
  for (const key of [OLD, NEW]) add(key);
  add(makeKey("P-256"), { label: "other", id: "02" });
  certify(OLD);
  store = await open();
  try {
    assert.deepEqual(store.keys, []);
    const told = events.told.filter((line) => /"k" \(id=%01\) is one of 2 private keys/.test(line));
    assert.equal(told.length, 2);
  } finally {
    await store.close();
  }
});
