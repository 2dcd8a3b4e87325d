import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { logIn } from "../../src/hsm/login.ts";
import type { ModuleChannel } from "../../src/hsm/module_channel.ts";
import { RefusedPins } from "../../src/hsm/refused_pins.ts";
import { selectToken } from "../../src/hsm/select_token.ts";
import { parseUri } from "../../src/hsm/uri.ts";
import { openModule } from "../support/hsm_process.ts";
import { makeSlowModule, type SlowModule } from "../support/slow_module.ts";
import { makeSoftHsm, PIN, type SoftHsm } from "../support/softhsm.ts";

const GONE = "somebody wanted it gone";
const SLOW = { timeout: 20_000 };

let hsm: SoftHsm;
let shim: SlowModule;
before(() => {
  hsm = makeSoftHsm();
  hsm.addToken("prod");
  shim = makeSlowModule(hsm);
});
after(() => hsm.remove());

let refused: RefusedPins;
beforeEach(() => {
  refused = new RefusedPins();
  shim.failLogins();
});

const utf8 = (text: string) => new TextEncoder().encode(text);

/** In a process of its own, as after a restart of it. @returns how often C_Login was called */
async function attempt(
  pin: Uint8Array | undefined,
  env: Readonly<Record<string, string>> = {},
  before: (channel: ModuleChannel) => void = () => {},
): Promise<number> {
  const loginsBefore = shim.logins();
  const options = { env: { ...shim.env, ...env }, callTimeoutMs: 4_000 };
  const channel = openModule(shim.path, options);
  const gone = new Promise<void>((resolve) => channel.once("exit", resolve));
  try {
    await channel.opened;
    const slots = await channel.ask("slots", undefined);
    const info = await channel.ask("info", undefined);
    const slot = selectToken(parseUri("pkcs11:token=prod"), slots, info);
    before(channel);
    await logIn(channel, slot, pin, refused);
  } finally {
    channel.end();
    await gone;
  }
  return shim.logins() - loginsBefore;
}

describe("logIn", () => {
  test("tries a wrong PIN once and never again, and leaves no PIN", SLOW, async () => {
    const pin = utf8("wrong-9876");
    await assert.rejects(attempt(pin), {
      code: "HSM_PIN",
      message: 'the token "prod" refused the PIN, which is not tried again: CKR_PIN_INCORRECT',
    });
    assert.ok(pin.every((byte) => byte === 0));
    const before = shim.logins();
    await assert.rejects(attempt(utf8("wrong-9876")), {
      code: "HSM_PIN",
      message: /the token "prod" has refused this PIN before.* it is not tried again/,
    });
    assert.equal(shim.logins(), before);
    assert.equal(await attempt(utf8(PIN)), 1);
  });

  const UNKNOWN = [
    ["CKR_GENERAL_ERROR", 0x5, /: CKR_GENERAL_ERROR\. /],
    ["CKR_DEVICE_REMOVED", 0x32, /: CKR_DEVICE_REMOVED\. /],
    ["CKR_DEVICE_ERROR", 0x30, /: CKR_DEVICE_ERROR\. /],
    ["a code of the vendor's", 0x80000001, /: CKR_0x80000001\. /],
    ["a crash", "crash", /SIGSEGV|exit code/],
    ["a hang", "hang", /hangs: login did not return within 4 s/],
  ] as const;
  for (const [what, how, why] of UNKNOWN) {
    test(
      `tries a PIN never again after ${what}, which may mean that it is wrong`,
      SLOW,
      async () => {
        shim.failLogins(how);
        await assert.rejects(attempt(utf8(PIN)), (error: Error & { code: string }) => {
          assert.equal(error.code, "HSM_PIN");
          assert.match(
            error.message,
            /^the token "prod" may have refused the PIN: .*it is not tried again/,
          );
          assert.match(error.message, why);
          return true;
        });
        shim.failLogins();
        const before = shim.logins();
        await assert.rejects(attempt(utf8(PIN)), { code: "HSM_PIN", message: /refused this PIN/ });
        assert.equal(shim.logins(), before);
      },
    );
  }

  for (const [name, ckr] of [["TOKEN_NOT_PRESENT", 0xe0], ["SLOT_ID_INVALID", 0x3]] as const) {
    test(`tries a PIN again after CKR_${name}: it was not looked at`, SLOW, async () => {
      shim.failLogins(ckr);
      await assert.rejects(attempt(utf8(PIN)), {
        code: "HSM_FAILED",
        message: `the login to the token "prod" failed: CKR_${name}`,
      });
      shim.failLogins();
      assert.equal(await attempt(utf8(PIN)), 1);
    });
  }

  test(
    "tries a PIN that was right once more, a minute after it may have been refused",
    SLOW,
    async () => {
      let nowMs = 0;
      refused = new RefusedPins(() => nowMs);
      assert.equal(await attempt(utf8(PIN)), 1);
      shim.failLogins(0x30); // CKR_DEVICE_ERROR
      await assert.rejects(attempt(utf8(PIN)), { code: "HSM_PIN", message: /may have refused/ });
      nowMs += 59_000;
      await assert.rejects(attempt(utf8(PIN)), { code: "HSM_PIN", message: /refused this PIN/ });
      nowMs += 1_000;
      await assert.rejects(attempt(utf8(PIN)), { code: "HSM_PIN", message: /may have refused/ });
      nowMs += 600_000;
      await assert.rejects(attempt(utf8(PIN)), { code: "HSM_PIN", message: /refused this PIN/ });
    },
  );

  test("begins to count anew where the second try was right", SLOW, async () => {
    let nowMs = 0;
    refused = new RefusedPins(() => nowMs);
    for (let count = 0; count < 3; count++) {
      shim.failLogins();
      assert.equal(await attempt(utf8(PIN)), 1);
      shim.failLogins(0x30);
      await assert.rejects(attempt(utf8(PIN)), { code: "HSM_PIN", message: /may have refused/ });
      nowMs += 60_000;
    }
  });

  test("hands a PIN over once where two ask to log in at the same time", SLOW, async () => {
    shim.failLogins(0x30);
    const loginsBefore = shim.logins();
    const ended = await Promise.allSettled([attempt(utf8(PIN)), attempt(utf8(PIN))]);
    assert.deepEqual(ended.map(({ status }) => status), ["rejected", "rejected"]);
    assert.equal(shim.logins() - loginsBefore, 1);
  });

  test("tries a PIN again where the process ended before it was handed over", SLOW, async () => {
    const kill = (channel: ModuleChannel) => channel.kill(GONE);
    await assert.rejects(attempt(utf8(PIN), {}, kill), {
      code: "HSM_FAILED",
      message: GONE,
    });
    assert.equal(await attempt(utf8(PIN)), 1);
  });

  test("is over before a process that hangs elsewhere is killed", SLOW, async () => {
    shim.failLogins("sleep");
    const loginsBefore = shim.logins();
    let killed = Promise.resolve();
    const killInIt = async (channel: ModuleChannel) => {
      while (shim.logins() === loginsBefore) await sleep(10);
      channel.kill(GONE);
      await assert.rejects(channel.ask("info", undefined), { message: GONE });
    };
    const start = (channel: ModuleChannel) => void (killed = killInIt(channel));
    assert.equal(await attempt(utf8(PIN), {}, start), 1);
    await killed;
    shim.failLogins();
    assert.equal(await attempt(utf8(PIN)), 1);
  });

  test("takes a login that holds already for one", SLOW, async () => {
    shim.failLogins(0x100); // CKR_USER_ALREADY_LOGGED_IN
    assert.equal(await attempt(utf8(PIN)), 1);
    assert.equal(await attempt(utf8(PIN)), 1);
  });

  test("without a PIN says that the token wants one", SLOW, async () => {
    await assert.rejects(attempt(undefined), { message: 'the token "prod" wants a PIN' });
  });

  test("without a PIN says that a locked token is locked", SLOW, async () => {
    await assert.rejects(attempt(undefined, { SLOW_MODULE_FLAGS: "0x40000" }), {
      code: "HSM_PIN",
      message: /the token "prod" is locked after wrong PINs/,
    });
  });
});
