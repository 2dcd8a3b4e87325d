import assert from "node:assert/strict";
import process from "node:process";
import { after, afterEach, before, describe, test } from "node:test";
import { digestOf } from "../../src/crypto/verify.ts";
import { openHsmStore } from "../../src/hsm/open_hsm_store.ts";
import { parseUri } from "../../src/hsm/uri.ts";
import { HsmEvents, openStore } from "../support/hsm_store.ts";
import { keyOf } from "../support/openssl.ts";
import { makeSlowModule, type SlowModule } from "../support/slow_module.ts";
import { makeSoftHsm, type SoftHsm, softHsmPath } from "../support/softhsm.ts";

const SLOW = { timeout: 30_000 };
const DIGEST = digestOf("ecdsa-sha256", new TextEncoder().encode("hello"));

let hsm: SoftHsm;
let shim: SlowModule;
before(() => {
  hsm = makeSoftHsm();
  hsm.addToken("prod");
  hsm.importKey("prod", keyOf("P-256"), { label: "ec", id: "01" });
  shim = makeSlowModule(hsm);
});
afterEach(() => shim.failLogins());
after(() => hsm.remove());

const uri = (query = "", module = shim.path) => `pkcs11:token=prod?module-path=${module}${query}`;

describe("a store of tokens that is opened", () => {
  test(
    "gives no module's process the PIN of any, nor what is this program's own",
    SLOW,
    async () => {
      const names = ["TEST_PIN_OF_ONE", "TEST_PIN_OF_OTHER", "KEYLESS_HSM_PIN", "TEST_NOT_SECRET"];
      for (const name of names) process.env[name] = `value of ${name}`;
      const events = new HsmEvents();
      const uris = [
        uri("&pin-source=env:TEST_PIN_OF_ONE"),
        uri("&pin-source=env:TEST_PIN_OF_OTHER", softHsmPath()),
      ];
      const options = { command: () => ["env"], observer: events }; // it prints what it gets
      await assert.rejects(openHsmStore(uris.map((uri) => parseUri(uri)), options));
      for (const name of names) delete process.env[name];
      const told = events.told.filter((line) => line.includes("value of"));
      assert.deepEqual([...new Set(told)], ["output: TEST_NOT_SECRET=value of TEST_NOT_SECRET"]);
    },
  );

  test(
    "waits for a login for as long as it takes, however short a request's wait",
    SLOW,
    async () => {
      shim.failLogins("sleep");
      const store = await openStore([uri("&wait=100ms")], shim.env);
      assert.equal(store.size, 1);
      await store.close();
    },
  );

  test("says that a PIN may be wrong where a token answers anything", SLOW, async () => {
    const before = shim.logins();
    shim.failLogins(0x5); // CKR_GENERAL_ERROR
    await assert.rejects(openStore([uri()], shim.env), {
      code: "HSM_PIN",
      message: /^pkcs11:token=prod: the token "prod" may have refused the PIN: CKR_GENERAL_ERROR/,
    });
    assert.equal(shim.logins(), before + 1);
  });
});

test("a token whose login fails while it is served is not given the PIN again", SLOW, async () => {
  const events = new HsmEvents();
  const store = await openStore([uri()], shim.env, events);
  try {
    const before = shim.logins();
    shim.failLogins("crash");
    shim.fail("crash");
    await assert.rejects(store.sign(0, "ecdsa-sha256", DIGEST));
    await events.event(/^away prod: the token "prod" (may have refused the|has refused this) PIN/);
    shim.failLogins();
    await new Promise((resolve) => setTimeout(resolve, 1_000)); // nothing tells that it is left alone
    assert.equal(shim.logins(), before + 1);
    assert.equal(store.tokens()[0]!.isUp, false);
  } finally {
    await store.close();
  }
});
