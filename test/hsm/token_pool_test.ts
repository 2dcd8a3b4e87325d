import assert from "node:assert/strict";
import { renameSync, rmSync } from "node:fs";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { digestOf, verifySignature } from "../../src/crypto/verify.ts";
import type { HsmStore } from "../../src/hsm/hsm_store.ts";
import { HsmEvents, openStore } from "../support/hsm_store.ts";
import { keyOf, makeKey } from "../support/openssl.ts";
import { makeReusingModule, makeSlowModule, type SlowModule } from "../support/slow_module.ts";
import { makeSoftHsm, PIN, type SoftHsm } from "../support/softhsm.ts";

const SLOW = { timeout: 60_000 };
const CKR_GENERAL_ERROR = 0x5;
const CKR_DATA_LEN_RANGE = 0x21;
const CKR_DEVICE_ERROR = 0x30;
const CKR_DEVICE_REMOVED = 0x32;
const CKR_OPERATION_ACTIVE = 0x90;
const CKR_SESSION_HANDLE_INVALID = 0xb3;

let hsm: SoftHsm;
let shim: SlowModule;
let events: HsmEvents;
before(() => {
  hsm = makeSoftHsm();
  for (const token of ["prod", "other"]) {
    hsm.addToken(token);
    hsm.importKey(token, keyOf("P-256"), { label: "one", id: "01" });
    hsm.importKey(token, makeKey("P-256"), { label: "two", id: "02" });
  }
  shim = makeSlowModule(hsm, { signMs: 3 });
});
beforeEach(() => events = new HsmEvents());
afterEach(() => shim.heal());
after(() => hsm.remove());

/** Opens the token "prod", with as many sessions to sign. */
function open(sessions: number, query = "", module: Module = shim): Promise<HsmStore> {
  const limits = `max-sessions=${sessions + 1}&min-sessions=${sessions}`;
  const uri = `pkcs11:token=prod?module-path=${module.path}&${limits}${query}`;
  return openStore([uri], module.env, events);
}

type Module = Pick<SlowModule, "path" | "env">;

/** Signs; which of the store's keys verifies the signature. */
async function sign(store: HsmStore, key: number, text: string): Promise<number> {
  const message = new TextEncoder().encode(text);
  const signature = await store.sign(key, "ecdsa-sha256", digestOf("ecdsa-sha256", message));
  return store.keys.findIndex(({ info }) =>
    verifySignature(info, "ecdsa-sha256", message, signature)
  );
}

/** Clients that ask at the same time, with two keys in turn, until they are stopped. */
class Clients {
  /** What was not a signature by the key that was asked. */
  readonly wrong: string[] = [];
  readonly failed: string[] = [];
  readonly #store: HsmStore;
  readonly #lanes: readonly Promise<void>[];
  #made = 0;
  #isOn = true;
  #waiting: { readonly made: number; readonly resolve: () => void } | undefined;

  constructor(store: HsmStore, count: number) {
    this.#store = store;
    this.#lanes = Array.from({ length: count }, (_, lane) => this.#ask(lane));
  }

  /** Resolves after so many further answers. */
  answers(count: number): Promise<void> {
    return new Promise((resolve) => this.#waiting = { made: this.#made + count, resolve });
  }

  async stop(): Promise<void> {
    this.#isOn = false;
    await Promise.all(this.#lanes);
  }

  async #ask(lane: number): Promise<void> {
    for (let turn = lane; this.#isOn; turn++) {
      try {
        const by = await sign(this.#store, turn % 2, `${lane} ${turn}`);
        if (by !== turn % 2) this.wrong.push(`${turn % 2} was signed by ${by}`);
      } catch (thrown) {
        this.failed.push(String(thrown));
      }
      this.#made += 1;
      if (this.#made >= (this.#waiting?.made ?? Infinity)) this.#waiting!.resolve();
    }
  }
}

/** What goes wrong meanwhile costs no client anything. */
async function underLoad(store: HsmStore, goWrong: () => void): Promise<void> {
  const clients = new Clients(store, 8);
  await clients.answers(100);
  for (let time = 0; time < 2; time++) {
    goWrong();
    await clients.answers(300);
  }
  await clients.stop();
  await until(() => store.tokens()[0]!.sessions === store.tokens()[0]!.maxSessions);
  assert.deepEqual([clients.wrong, clients.failed], [[], []]);
}

describe("a token under load", () => {
  const LOSSES = { CKR_DEVICE_REMOVED, CKR_SESSION_HANDLE_INVALID, CKR_OPERATION_ACTIVE };
  for (const [name, ckr] of Object.entries(LOSSES)) {
    test(`that ends a session by ${name} signs on, each request by its key`, SLOW, async () => {
      const store = await open(3);
      try {
        const logins = shim.logins();
        await underLoad(store, () => shim.fail(ckr));
        const [{ isUp, sessions, errors }] = store.tokens() as [TokenState];
        assert.deepEqual({ isUp, sessions, errors }, {
          ...{ isUp: true, sessions: 3, errors: { [name]: 2 } },
        });
        assert.equal(shim.logins(), logins, "the login held");
      } finally {
        await store.close();
      }
    });
  }

  test("that ends all sessions at once is logged in to once, and signs on", SLOW, async () => {
    const store = await open(3);
    try {
      const logins = shim.logins();
      await underLoad(store, () => shim.fail("drop"));
      assert.equal(shim.logins(), logins + 2);
      assert.equal(store.tokens()[0]!.isUp, true);
    } finally {
      await store.close();
    }
  });

  test("that gives old handles to new sessions never has two threads in one", SLOW, async () => {
    const module = makeReusingModule(hsm);
    const store = await open(4, "", module);
    try {
      await underLoad(store, () => module.drop());
      assert.deepEqual(events.told, []);
    } finally {
      await store.close();
    }
  });
});

describe("a session", () => {
  test("that answers errors alone is replaced, at last by another login", SLOW, async () => {
    const store = await open(1);
    try {
      const logins = shim.logins();
      shim.failAlways(CKR_GENERAL_ERROR);
      while (shim.logins() === logins) {
        await assert.rejects(sign(store, 0, "fails"), /CKR_GENERAL_ERROR/);
      }
      shim.heal();
      assert.equal(await sign(store, 0, "right"), 0);
    } finally {
      await store.close();
    }
  });

  test("that fails in a vendor's own way is counted by its number", SLOW, async () => {
    const store = await open(1);
    try {
      shim.fail(0x8000_0001);
      await assert.rejects(sign(store, 0, "fails"), /on the token failed: CKR_0x80000001$/);
      assert.deepEqual(store.tokens()[0]!.errors, { CKR_0x80000001: 1 });
    } finally {
      await store.close();
    }
  });

  test("is kept where requests are not what the token takes", SLOW, async () => {
    const store = await open(1);
    try {
      const opens = shim.opens();
      shim.failAlways(CKR_DATA_LEN_RANGE);
      for (let count = 0; count < 6; count++) await assert.rejects(sign(store, 0, "fails"));
      assert.equal(shim.opens(), opens);
    } finally {
      await store.close();
    }
  });

  test("that is lost with each request is replaced later each time", SLOW, async () => {
    const store = await open(1);
    try {
      const [logins, opens, sinceMs] = [shim.logins(), shim.opens(), performance.now()];
      for (let count = 0; count < 4; count++) {
        shim.fail(CKR_DEVICE_ERROR);
        assert.equal(await sign(store, 0, `${count}`), 0);
      }
      assert.ok(performance.now() - sinceMs >= 100 + 200 + 400);
      assert.deepEqual([shim.logins() - logins, shim.opens() - opens], [0, 4]);
    } finally {
      await store.close();
    }
  });

  test("is replaced without the PIN while the login holds", SLOW, async () => {
    const pin = hsm.dir.write("pin", PIN);
    const store = await open(1, `&pin-source=file:${pin}`);
    try {
      rmSync(pin);
      shim.fail(CKR_SESSION_HANDLE_INVALID);
      assert.equal(await sign(store, 1, "lost"), 1);
      assert.equal(store.tokens()[0]!.isUp, true);
    } finally {
      await store.close();
    }
  });
});

test("a token of the same label in the place of another does not get its PIN", SLOW, async () => {
  const stranger = makeSoftHsm();
  stranger.addToken("prod");
  stranger.importKey("prod", keyOf("P-256"), { label: "one", id: "01" });
  const tokens = hsm.dir.at("tokens");
  const store = await open(1);
  try {
    const logins = shim.logins();
    renameSync(tokens, `${tokens}.away`);
    renameSync(stranger.dir.at("tokens"), tokens);
    shim.fail("crash");
    await assert.rejects(sign(store, 0, "away"), { code: "HSM_FAILED" });
    await events.event(/^away prod: no token fits .*serial=.* there is "prod"/);
    assert.equal(shim.logins(), logins);
    renameSync(tokens, stranger.dir.at("tokens"));
    renameSync(`${tokens}.away`, tokens);
    await events.event(/^back prod/);
    assert.equal(await sign(store, 0, "back"), 0);
  } finally {
    await store.close();
    stranger.remove();
  }
});

test("a key that is gone for a while is missed alone, and found again", SLOW, async () => {
  const key = makeKey("P-384");
  hsm.addToken("keys");
  hsm.importKey("keys", keyOf("P-256"), { label: "stays", id: "01" });
  hsm.importKey("keys", key, { label: "goes", id: "02" });
  const path = "pkcs11:token=keys";
  const store = await openStore([`${path}?module-path=${shim.path}`], shim.env, events);
  try {
    const number = store.keys.findIndex(({ name }) => name.includes("goes"));
    const digest = digestOf("ecdsa-sha256", new Uint8Array());
    const signOnce = () => store.sign(number, "ecdsa-sha256", digest);
    await signOnce();
    for (const type of ["privkey", "pubkey"]) {
      hsm.tool("keys", "--delete-object", "--type", type, "--id", "02");
    }
    await assert.rejects(signOnce(), { code: "HSM_FAILED", message: /not on the token any more/ });
    await events.event(/^missing on keys: "goes"/);
    assert.equal(await sign(store, 1 - number, "stays"), 1 - number);
    assert.equal(store.tokens()[0]!.isUp, true);
    hsm.importKey("keys", key, { label: "goes", id: "02" });
    await events.event(/^found on keys: "goes"/);
    await signOnce();
  } finally {
    await store.close();
  }
});

test("a PIN that is refused does not have the module started again", SLOW, async () => {
  const store = await open(1);
  try {
    const logins = shim.logins();
    shim.failLogins(0xa0); // CKR_PIN_INCORRECT
    shim.fail("drop");
    await assert.rejects(sign(store, 0, "away"), { code: "HSM_FAILED", message: /the PIN/ });
    await until(() => failuresOf(store) >= 5);
    assert.equal(store.modules()[0]!.deaths, 0);
    assert.equal(shim.logins(), logins + 1);
  } finally {
    shim.failLogins();
    await store.close();
  }
});

test("a token that hangs again and again leaves the module to the others", SLOW, async () => {
  const query = `?module-path=${shim.path}&max-sessions=2&wait=2s`;
  const uris = ["prod", "other"].map((token) => `pkcs11:token=${token};object=two${query}`);
  const store = await openStore(uris, shim.env, events);
  try {
    shim.fail("hang");
    const asked = sign(store, 0, "hangs").catch(String);
    await events.event(/^died: .* hangs: a signature/);
    shim.fail("hang"); // when it is tried once more
    assert.match(String(await asked), /a signature did not return/);
    await events.event(/^away prod: .* hangs: a signature/);
    assert.equal(await sign(store, 1, "other"), 1);
    await assert.rejects(sign(store, 0, "again"), /^KeylessError: the token cannot be used: /);
    assert.deepEqual(store.tokens().map(({ isUp }) => isUp), [false, true]);
    assert.equal(store.modules()[0]!.deaths, 2);
  } finally {
    await store.close();
  }
});

type TokenState = ReturnType<HsmStore["tokens"]>[number];

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
}

function failuresOf(store: HsmStore): number {
  return Object.values(store.tokens()[0]!.errors).reduce((sum, count) => sum + count, 0);
}
