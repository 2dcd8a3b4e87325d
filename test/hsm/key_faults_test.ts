/** Keys that fail, beside keys that do not. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { after, afterEach, before, describe, test } from "node:test";
import { digestOf } from "../../src/crypto/verify.ts";
import type { HsmStore } from "../../src/hsm/hsm_store.ts";
import { KeyFaults } from "../../src/hsm/key_faults.ts";
import { Failures } from "../../src/hsm/session.ts";
import { openStore } from "../support/hsm_store.ts";
import { keyOf, makeKey } from "../support/openssl.ts";
import { makeSlowModule, type SlowModule } from "../support/slow_module.ts";
import { makeSoftHsm, type SoftHsm } from "../support/softhsm.ts";

const SLOW = { timeout: 60_000 };
const CKR_GENERAL_ERROR = 0x5;
const CKR_DEVICE_ERROR = 0x30;
const [ONE, OTHER] = [Buffer.alloc(8), Buffer.alloc(8)];

describe("failures in a row", () => {
  test("are the session's where they are of several keys", () => {
    const failures = new Failures();
    for (const key of [ONE, OTHER]) failures.add(key, 0);
    assert.equal(failures.areOfSession(0), false, "two may be chance");
    failures.add(ONE, 0);
    assert.equal(failures.areOfSession(0), true);
    failures.end();
    failures.add(OTHER, 0);
    assert.equal(failures.areOfSession(0), false);
  });

  test("are a key's, unless nothing has succeeded for a while", () => {
    const failures = new Failures();
    for (let nowMs = 0; nowMs < 1_000; nowMs += 10) {
      failures.add(ONE, nowMs);
      assert.equal(failures.areOfSession(nowMs), false);
    }
    failures.add(ONE, 1_000);
    assert.equal(failures.areOfSession(1_000), true);
  });
});

describe("a key at whose requests sessions end", () => {
  test("is refused from the fourth on, for twice as long each time", () => {
    const faults = new KeyFaults();
    for (let count = 0; count < 3; count++) faults.blame(1, "CKR_DEVICE_ERROR", 0);
    assert.equal(faults.whyRefused(1, 0), undefined);
    faults.blame(1, "CKR_DEVICE_ERROR", 0);
    assert.match(faults.whyRefused(1, 0)!, /ended 4 sessions in a row.* 10 s: CKR_DEVICE_ERROR$/);
    assert.equal(faults.whyRefused(2, 0), undefined);
    assert.equal(faults.whyRefused(1, 10_000), undefined);
    faults.blame(1, "CKR_DEVICE_ERROR", 10_000);
    assert.match(faults.whyRefused(1, 10_000)!, / 20 s: /);
  });

  test("is not refused where it was made in another, or long ago", () => {
    const faults = new KeyFaults();
    for (let count = 0; count < 3; count++) faults.blame(1, "CKR_DEVICE_ERROR", 0);
    faults.absolve(1);
    for (let count = 0; count < 3; count++) faults.blame(1, "CKR_DEVICE_ERROR", 0);
    faults.blame(1, "CKR_DEVICE_ERROR", 60_000);
    assert.equal(faults.whyRefused(1, 60_000), undefined);
  });
});

describe("of a token's keys one that always fails", () => {
  let hsm: SoftHsm;
  let shim: SlowModule;
  let store: HsmStore;
  before(async () => {
    hsm = makeSoftHsm();
    hsm.addToken("prod");
    hsm.importKey("prod", keyOf("P-256"), { label: "broken", id: "01" });
    hsm.importKey("prod", makeKey("P-256"), { label: "fine", id: "02" });
    shim = makeSlowModule(hsm);
    const env = { ...shim.env, SLOW_MODULE_ONLY: "broken" };
    store = await openStore([`pkcs11:token=prod?module-path=${shim.path}&max-sessions=2`], env);
  });
  afterEach(() => shim.heal());
  after(async () => {
    await store.close();
    hsm.remove();
  });

  const digest = digestOf("ecdsa-sha256", new Uint8Array());
  const sign = (key: number) => store.sign(key, "ecdsa-sha256", digest);
  /** Many requests for the broken key at once, and one for the other. */
  const askBoth = async () => {
    const failing = Array.from({ length: 16 }, () => sign(0));
    const [fine, ...failed] = await Promise.allSettled([sign(1), ...failing]);
    assert.equal(fine!.status === "rejected" && String(fine.reason), false);
    return failed.map((each) => each.status === "rejected" ? String(each.reason) : "made");
  };

  test("ends no session by errors that may be its own", SLOW, async () => {
    const opens = shim.opens();
    shim.failAlways(CKR_GENERAL_ERROR);
    for (let round = 0; round < 5; round++) {
      for (const why of await askBoth()) assert.match(why, /CKR_GENERAL_ERROR/);
    }
    assert.equal(shim.opens(), opens);
  });

  test("is refused at once where it ends sessions, and the other is not", SLOW, async () => {
    shim.failAlways(CKR_DEVICE_ERROR);
    while (!(await askBoth()).some((why) => /ended 4 sessions in a row/.test(why)));
    const opens = shim.opens();
    for (let round = 0; round < 20; round++) {
      for (const why of await askBoth()) assert.match(why, /in a row.*: CKR_DEVICE_ERROR/);
    }
    assert.equal(shim.opens(), opens);
    assert.equal(store.tokens()[0]!.isUp, true);
  });
});
