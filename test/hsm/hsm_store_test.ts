import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { describePublicKey } from "../../src/crypto/public_key.ts";
import { digestOf, verifySignature } from "../../src/crypto/verify.ts";
import type { HsmStore } from "../../src/hsm/hsm_store.ts";
import { HsmEvents, openStore } from "../support/hsm_store.ts";
import { type KeyKind, keyOf, publicKeyOf } from "../support/openssl.ts";
import { makeSlowModule, type SlowModule } from "../support/slow_module.ts";
import { makeSoftHsm, type SoftHsm, softHsmPath } from "../support/softhsm.ts";

const SLOW = { timeout: 30_000 };
const MESSAGE = new TextEncoder().encode("hello");
const DIGEST = digestOf("ecdsa-sha256", MESSAGE);

let hsm: SoftHsm;
let shim: SlowModule;
before(() => {
  hsm = makeSoftHsm();
  hsm.addToken("prod");
  hsm.importKey("prod", keyOf("P-256"), { label: "ec", id: "01" });
  hsm.importKey("prod", keyOf("RSA 2048"), { label: "rsa", id: "02" });
  hsm.addToken("other");
  hsm.importKey("other", keyOf("Ed25519"), { label: "ed", id: "01" });
  hsm.importKey("other", keyOf("P-256"), { label: "ec", id: "02" });
  shim = makeSlowModule(hsm);
});
after(() => hsm.remove());

const uri = (path: string, query = "", module = softHsmPath()) =>
  `pkcs11:${path}?module-path=${module}${query}`;

const isRight = (kind: KeyKind, signature: Uint8Array) =>
  verifySignature(
    describePublicKey(publicKeyOf(keyOf(kind))),
    kind === "Ed25519" ? "ed25519" : "ecdsa-sha256",
    MESSAGE,
    signature,
  );

describe("a store of tokens", () => {
  test("has the keys that its URIs select, each once, of several tokens", SLOW, async () => {
    const uris = [uri("token=prod;object=ec"), uri("token=other"), uri("token=prod;id=%01")];
    const store = await openStore(uris, hsm.env);
    try {
      assert.deepEqual(store.keys.map(({ entry, name }) => [entry, name]), [
        ["pkcs11:token=prod;object=ec", '"ec" (id=%01)'],
        ["pkcs11:token=other", '"ed" (id=%01)'],
      ]);
      assert.deepEqual(store.tokens().map(({ token }) => token), ["prod", "other"]);
      assert.equal(store.modules().length, 1, "one process for a module");
      assert.ok(isRight("P-256", await store.sign(0, "ecdsa-sha256", DIGEST)));
      assert.ok(isRight("Ed25519", await store.sign(1, "ed25519", MESSAGE)));
      await assert.rejects(store.sign(2, "ed25519", MESSAGE), { code: "SIGN_FAILED" });
    } finally {
      await store.close();
    }
    await store.close();
  });

  test("opens sessions as they are needed, and no more than may be", SLOW, async () => {
    const store = await openStore([uri("token=prod;id=%02", "&max-sessions=4")], hsm.env);
    try {
      assert.equal(store.tokens()[0]!.sessions, 1);
      for (let round = 0; round < 20 && store.tokens()[0]!.largest < 3; round++) {
        await signMany(store, 100); // a session is opened beside them
      }
      const [{ sessions, largest, maxSessions, errors }] = store.tokens() as [TokenState];
      assert.deepEqual({ sessions, largest, maxSessions, errors }, {
        ...{ sessions: 3, largest: 3, maxSessions: 3, errors: {} },
      });
    } finally {
      await store.close();
    }
  });

  test("keeps as many sessions open as min-sessions says", SLOW, async () => {
    const query = "&max-sessions=9&min-sessions=3";
    const store = await openStore([uri("token=prod;id=%02", query)], hsm.env);
    assert.equal(store.tokens()[0]!.sessions, 3);
    await store.close();
  });

  test(
    "makes do with fewer sessions where the token gives no more, and says so",
    SLOW,
    async () => {
      const events = new HsmEvents();
      const env = { ...shim.env, SLOW_MODULE_SESSIONS: "3" };
      const query = "&max-sessions=9&min-sessions=6";
      const store = await openStore([uri("token=prod;id=%02", query, shim.path)], env, events);
      try {
        await events.event(/^limited prod to \d: .*CKR_SESSION_COUNT/);
        await signMany(store, 50);
        const [{ sessions, isUp }] = store.tokens() as [TokenState];
        assert.deepEqual({ sessions, isUp }, { sessions: 2, isUp: true });
      } finally {
        await store.close();
      }
    },
  );

  test("tries a wrong PIN once, however many URIs name the token", SLOW, async () => {
    const before = shim.logins();
    const wrong = ["%01", "%02"].map((id) =>
      uri(`token=other;id=${id}`, "&pin-value=wrong-9876", shim.path)
    );
    await assert.rejects(openStore(wrong, shim.env), { code: "HSM_PIN" });
    assert.equal(shim.logins(), before + 1);
  });

  test("tells everything that stands in the way, and leaves nothing open", SLOW, async () => {
    const wrong = [
      uri("token=prod;object=none"),
      uri("token=none"),
      uri("token=prod", "", "/nowhere.so"),
      uri("token=other;id=%02", "&pin-value=wrong-9876"),
    ];
    await assert.rejects(openStore(wrong, hsm.env), (error: Error & { code: string }) => {
      assert.equal(error.code, "HSM_PIN");
      const lines = error.message.split("\n").sort();
      assert.match(lines[0]!, /^pkcs11:token=none: no token fits pkcs11:token=none; there is/);
      assert.match(lines[1]!, /^pkcs11:token=other;id=%02: the token "other" refused the PIN/);
      assert.match(
        lines[2]!,
        /^pkcs11:token=prod: the PKCS#11 module \/nowhere.so cannot be opened/,
      );
      assert.match(lines[3]!, /^pkcs11:token=prod;object=none: the token has no private key/);
      assert.equal(lines.length, 4);
      return true;
    });
  });
});

describe("a store whose module crashes", () => {
  test("signs on, and counts it", SLOW, async () => {
    const events = new HsmEvents();
    const store = await openStore([uri("token=prod;id=%01", "", shim.path)], shim.env, events);
    try {
      for (let crash = 1; crash <= 2; crash++) {
        shim.fail("crash");
        assert.ok(isRight("P-256", await store.sign(0, "ecdsa-sha256", DIGEST)));
        assert.equal(store.modules()[0]!.deaths, crash);
      }
      await events.event(/^died: the process of the PKCS#11 module is gone: .*SIGSEGV/);
      assert.equal(store.tokens()[0]!.isUp, true);
    } finally {
      await store.close();
    }
  });

  test("gives a request up that has crashed it twice", SLOW, async () => {
    const store = await openStore([uri("token=prod;id=%01", "", shim.path)], shim.env);
    try {
      shim.fail("crash");
      const asked = store.sign(0, "ecdsa-sha256", DIGEST);
      while (store.modules()[0]!.deaths === 0) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      shim.fail("crash");
      await assert.rejects(asked, { code: "SIGN_FAILED", message: /the session ended: .*SIGSEGV/ });
      assert.ok(isRight("P-256", await store.sign(0, "ecdsa-sha256", DIGEST)));
    } finally {
      await store.close();
    }
  });
});

describe("a store whose token loses a session", () => {
  const LOSSES = {
    CKR_SESSION_HANDLE_INVALID: 0xb3,
    CKR_DEVICE_REMOVED: 0x32,
    CKR_USER_NOT_LOGGED_IN: 0x101,
    CKR_KEY_HANDLE_INVALID: 0x60,
  };
  for (const [name, ckr] of Object.entries(LOSSES)) {
    test(`by ${name} opens another, answers the request, and counts it`, SLOW, async () => {
      const store = await openStore([uri("token=prod;id=%01", "", shim.path)], shim.env);
      try {
        shim.fail(ckr);
        assert.ok(isRight("P-256", await store.sign(0, "ecdsa-sha256", DIGEST)));
        assert.ok(isRight("P-256", await store.sign(0, "ecdsa-sha256", DIGEST)));
        const [{ errors, isUp }] = store.tokens() as [TokenState];
        assert.deepEqual({ errors, isUp }, { errors: { [name]: 1 }, isUp: true });
        assert.equal(store.modules()[0]!.deaths, 0);
      } finally {
        await store.close();
      }
    });
  }
});

type TokenState = ReturnType<HsmStore["tokens"]>[number];

async function signMany(store: HsmStore, count: number): Promise<void> {
  const digest = digestOf("rsa-sha256", MESSAGE);
  await Promise.all(Array.from({ length: count }, () => store.sign(0, "rsa-sha256", digest)));
}
