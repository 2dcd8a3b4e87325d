import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Scheme, SCHEMES, type SignScheme } from "../../src/crypto/scheme.ts";
import { digestOf, verifySignature } from "../../src/crypto/verify.ts";
import { findKeys } from "../../src/hsm/key_listing.ts";
import type { ModuleChannel } from "../../src/hsm/module_channel.ts";
import type { ModuleSession } from "../../src/hsm/module_session.ts";
import {
  bindAll,
  type BoundKeys,
  logIn,
  moduleCommand,
  openModule,
  type Perform,
  performOn,
  slotOf,
} from "../support/hsm_process.ts";
import { type KeyKind, keyOf, openssl, opensslVerifies, publicKeyOf } from "../support/openssl.ts";
import { makeSlowModule, type SlowModule } from "../support/slow_module.ts";
import { makeSoftHsm, type SoftHsm, softHsmPath } from "../support/softhsm.ts";

const KINDS = ["RSA 2048", "P-256", "P-384", "P-521", "Ed25519"] as const satisfies KeyKind[];
const MESSAGE = new TextEncoder().encode("hello");

const SLOW = { timeout: 20_000 };

let hsm: SoftHsm;
before(() => {
  hsm = makeSoftHsm();
  hsm.addToken("prod");
  for (const [index, kind] of KINDS.entries()) {
    hsm.importKey("prod", keyOf(kind), { label: kind, id: `0${index + 1}` });
  }
});
after(() => hsm.remove());

describe("a module in a process of its own", () => {
  let channel: ModuleChannel;
  let slotId: number;
  let keys: BoundKeys;
  let perform: Perform;

  before(async () => {
    channel = openModule(softHsmPath(), { env: hsm.env });
    await channel.opened;
    slotId = await logIn(channel, "prod");
    keys = await bindAll(channel, slotId);
    perform = performOn([await channel.openSession(slotId)]);
  });
  after(() => end(channel));

  const sign = (kind: KeyKind, scheme: Scheme, bytes: Uint8Array) =>
    perform(keys.get(kind)!, scheme, bytes);

  test("tells what it is, and what its tokens are", async () => {
    const info = await channel.ask("info", undefined);
    assert.equal(info.manufacturer, "SoftHSM");
    assert.ok(info.cryptoki.major >= 2);
    const [slot] = await channel.ask("slots", undefined);
    assert.equal(slot?.token?.label, "prod");
    assert.match(slot.token.serial, /^[0-9a-f]{16}$/);
    assert.equal(slot.token.model, "SoftHSM v2");
  });

  test("names mechanisms", async () => {
    const names = (await channel.ask("mechanisms", { slotId })).map(({ name }) => name);
    for (const name of ["CKM_RSA_PKCS", "CKM_RSA_PKCS_PSS", "CKM_ECDSA"]) {
      assert.ok(names.includes(name), name);
    }
  });

  test("tells public halves and usages of the keys that fit", async () => {
    const found = await findKeys(channel, slotId, { label: "P-256" });
    const [key, ...others] = found;
    assert.equal(others.length, 0);
    assert.deepEqual(Array.from(key!.spki!), Array.from(publicKeyOf(keyOf("P-256"))));
    assert.equal(key!.spkiFrom, "public key");
    assert.deepEqual(key!.id, Uint8Array.of(2));
    assert.equal(key!.canSign, true);
    assert.equal(key!.isExtractable, false);
    assert.equal(key!.hasCertificate, false);
    const byId = await findKeys(channel, slotId, { id: Uint8Array.of(2) });
    assert.deepEqual(byId.map(({ label }) => label), ["P-256"]);
    assert.deepEqual(await findKeys(channel, slotId, { label: "none" }), []);
  });

  for (const scheme of Object.keys(SCHEMES) as Scheme[]) {
    if (scheme === "rsa-decrypt") continue;
    for (const kind of KINDS.filter((kind) => fits(kind, scheme))) {
      test(`signs ${scheme} with ${kind}; openssl verifies it`, async () => {
        const bytes = digestOf(scheme, MESSAGE);
        const signature = await sign(kind, scheme, bytes);
        assert.ok(opensslVerifies(publicKeyOf(keyOf(kind)), scheme, bytes, signature));
      });
    }
  }

  test("applies an RSA key to a block, as openssl does", async () => {
    const block = new Uint8Array(256).fill(7);
    block[0] = 0;
    const encrypted = openssl([
      ...["pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-pkeyopt", "rsa_padding_mode:none"],
      ...["-inkey", hsm.dir.write("public.der", publicKeyOf(keyOf("RSA 2048")))],
    ], block);
    assert.deepEqual(await sign("RSA 2048", "rsa-decrypt", encrypted), block);
  });

  test("fails on a block that is not below the modulus, which is kept from it, and goes on", async () => {
    const block = new Uint8Array(256).fill(255);
    await assert.rejects(sign("RSA 2048", "rsa-decrypt", block), {
      code: "SIGN_FAILED",
      message: /^rsa-decrypt on the token failed: CKR_/,
    });
    await sign("RSA 2048", "rsa-sha256", digestOf("rsa-sha256", MESSAGE));
  });

  test("answers that a key is not on the token any more, and goes on", async () => {
    const session = await channel.openSession(slotId);
    const signIn = performOn([session]);
    const known = keys.get("P-256")!;
    const gone = signIn({ ...known, handle: 999 }, "ecdsa-sha256", new Uint8Array(32));
    await assert.rejects(gone, {
      code: "HSM_FAILED",
      message: "the key is not on the token any more",
    });
    await signIn(known, "ecdsa-sha256", new Uint8Array(32));
    session.close();
    await session.gone;
  });

  test("uses the socket of a session again, with nothing of it left there", async () => {
    const key = keys.get("P-256")!;
    const bytes = new Uint8Array(32);
    const request = { key: key.handle, bits: 256, scheme: "ecdsa-sha256", bytes } as const;
    for (let round = 0; round < 20; round++) { // there are 16 sockets
      const session = await channel.openSession(slotId);
      session.request(Array(10).fill(request));
      session.drop();
      await session.gone;
    }
  });

  test("names what went wrong where a slot is not there", async () => {
    await assert.rejects(channel.openSession(12_345), {
      code: "HSM_FAILED",
      message: "no session can be opened: CKR_SLOT_ID_INVALID",
    });
    await assert.rejects(channel.ask("mechanisms", { slotId: 12_345 }), { code: "HSM_TOKEN" });
  });
});

describe("a login", () => {
  let channel: ModuleChannel;
  before(async () => {
    hsm.addToken("other");
    channel = openModule(softHsmPath(), { env: hsm.env });
    await channel.opened;
  });
  after(() => end(channel));

  test("may be repeated", async () => {
    await logIn(channel, "other");
    await logIn(channel, "other");
  });
});

describe("what is no module", () => {
  for (
    const [what, path] of [
      ["a library that is no PKCS#11 module", () => "/usr/lib/x86_64-linux-gnu/libz.so.1"],
      ["a text file", () => hsm.dir.write("text.so", "hello")],
    ] as const
  ) {
    test(`${what} is refused, and the process ends`, async () => {
      const channel = openModule(path(), { env: hsm.env });
      const ended = exitOf(channel);
      await assert.rejects(channel.opened, { code: "HSM_MODULE", message: /as a PKCS#11 module/ });
      await ended;
    });
  }
});

describe("a module that fails", () => {
  let slow: SlowModule;
  before(() => slow = makeSlowModule(hsm));

  const start = async (count: number, callTimeoutMs: number, module = slow) => {
    const channel = openModule(module.path, {
      env: module.env,
      callTimeoutMs,
      signTimeoutMs: callTimeoutMs,
    });
    await channel.opened;
    const slotId = await logIn(channel, "prod");
    const key = (await bindAll(channel, slotId)).get("P-256")!;
    const sessions: ModuleSession[] = [];
    for (let id = 0; id < count; id++) sessions.push(await channel.openSession(slotId));
    const perform = performOn(sessions);
    const digest = digestOf("ecdsa-sha256", MESSAGE);
    const sign = () => perform(key, "ecdsa-sha256", digest);
    const isRight = (signature: Uint8Array) =>
      verifySignature(key.info, "ecdsa-sha256" satisfies SignScheme, MESSAGE, signature);
    return { channel, sign, isRight, sessions };
  };

  test("by crashing ends its process alone, and says so", async () => {
    const { channel, sign, sessions } = await start(1, 10_000);
    await sign();
    slow.fail("crash");
    const ended = exitOf(channel);
    void sign();
    assert.match(await sessions[0]!.end, /the process of the PKCS#11 module is gone: .*SIGSEGV/);
    await ended;
    await assert.rejects(channel.ask("info", undefined), { code: "HSM_FAILED" });
  });

  test("that has started others leaves no open files behind when it ends", SLOW, async () => {
    const openFiles = () => readdirSync("/proc/self/fd").length;
    const child = 'sleep 8 & exec "$0" "$@"'; // which has the other ends of all pipes and sockets
    const command = ["sh", "-c", child, ...moduleCommand(slow.path)];
    const channel = openModule(slow.path, { command, env: slow.env, maxSessions: 200 });
    await channel.opened;
    assert.ok(openFiles() > 200);
    const ended = exitOf(channel);
    channel.kill("somebody wanted it gone");
    await ended;
    const sinceMs = performance.now();
    while (openFiles() > 100 && performance.now() - sinceMs < 4_000) await sleep(20);
    assert.ok(openFiles() <= 100, `${openFiles()} files`);
  });

  test("by hanging is killed when a call has taken too long", SLOW, async () => {
    const { channel, sign, sessions } = await start(1, 2_000);
    slow.fail("hang");
    const ended = exitOf(channel);
    void sign();
    const why = "the PKCS#11 module hangs: a signature did not return within 2 s";
    assert.equal(await sessions[0]!.end, why);
    await ended;
  });

  const CKR_DEVICE_REMOVED = 0x32;
  test("by losing a session tells why it has ended, and others go on", async () => {
    const { channel, sign, isRight, sessions } = await start(1, 10_000);
    const other = await channel.openSession(await slotOf(channel, "prod"));
    slow.fail(CKR_DEVICE_REMOVED);
    void sign();
    assert.equal(await sessions[0]!.end, "CKR_DEVICE_REMOVED");
    sessions[0] = other;
    assert.ok(isRight(await sign()));
    await end(channel);
  });

  const CKR_FUNCTION_FAILED = 0x6;
  test("may be slow: each session waits on a thread of its own", SLOW, async () => {
    const sleepy = makeSlowModule(hsm, { initMs: 20, signMs: 50 });
    const { channel, sign, isRight } = await start(16, 10_000, sleepy);
    await Promise.all(Array.from({ length: 16 }, sign));
    const startedMs = performance.now();
    const signatures = await Promise.all(Array.from({ length: 160 }, sign));
    const rounds = (performance.now() - startedMs) / 70;
    assert.ok(160 / rounds >= 0.8 * 16, `${160 / rounds} signatures in 70 ms`);
    assert.ok(signatures.every(isRight));
    await end(channel);
  });

  test("in another way names it, and the session goes on", async () => {
    const { channel, sign, isRight } = await start(1, 10_000);
    slow.fail(CKR_FUNCTION_FAILED);
    await assert.rejects(sign(), {
      code: "SIGN_FAILED",
      message: "ecdsa-sha256 on the token failed: CKR_FUNCTION_FAILED",
    });
    assert.ok(isRight(await sign()));
    await end(channel);
  });
});

async function end(channel: ModuleChannel): Promise<void> {
  const ended = exitOf(channel);
  channel.end();
  await ended;
}

/** Not by `once` of node:events, which rejects at "error". */
function exitOf(channel: ModuleChannel): Promise<void> {
  return new Promise((resolve) => channel.once("exit", resolve));
}

function fits(kind: KeyKind, scheme: Scheme): boolean {
  const { keyType } = SCHEMES[scheme];
  return kind.startsWith({ rsa: "RSA", ec: "P-", ed25519: "Ed" }[keyType]);
}
