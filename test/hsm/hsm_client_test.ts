import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { MessageChannel, type MessagePort } from "node:worker_threads";
import { toHex } from "../../src/bytes/hex.ts";
import type { Scheme } from "../../src/crypto/scheme.ts";
import type { SessionReply } from "../../src/hsm/batch.ts";
import { HsmClient } from "../../src/hsm/hsm_client.ts";
import { HsmDesk } from "../../src/hsm/hsm_desk.ts";
import { HsmKeystore } from "../../src/hsm/hsm_keystore.ts";
import { replyOf, type TokenRequest } from "../../src/hsm/session_queue.ts";
import { shareHsmKeys } from "../../src/hsm/shared_hsm_keys.ts";
import { describePublicKey } from "../../src/crypto/public_key.ts";
import { Admission } from "../../src/threads/admission.ts";
import type { Channel } from "../../src/threads/questions.ts";
import { sharedCounterMemory, SharedCounters } from "../../src/threads/shared_counters.ts";
import { SIGNING_COUNTERS } from "../../src/threads/signing_memory.ts";
import { keyOf, publicKeyOf } from "../support/openssl.ts";
import { contextOf } from "../support/request_context.ts";

type Asked = Omit<TokenRequest, "key" | "shape"> & { readonly position: number };

/** Both sides of a channel, and a store that answers when a test says so. */
class Sides {
  readonly asked: Asked[] = [];
  readonly desk: HsmDesk;
  readonly client: HsmClient;
  readonly #ports: readonly MessagePort[];
  #arrived: () => void = () => {};

  constructor(requests = 100) {
    const { port1, port2 } = new MessageChannel();
    this.#ports = [port1, port2];
    const perform = (position: number, request: Omit<TokenRequest, "key" | "shape">) => {
      this.asked.push({ ...request, position });
      this.#arrived();
    };
    this.desk = new HsmDesk(port1 as unknown as Channel, { perform });
    const memory = sharedCounterMemory(SIGNING_COUNTERS.length, 1);
    const counters = new SharedCounters(SIGNING_COUNTERS, memory, 0);
    const admission = new Admission(counters);
    this.client = new HsmClient(port2 as unknown as Channel, admission, {
      requests,
      bytes: 1_000_000,
      work: Infinity,
    });
  }

  async arrived(count: number): Promise<void> {
    while (this.asked.length < count) {
      await new Promise<void>((resolve) => this.#arrived = resolve);
    }
  }

  close(): void {
    for (const port of this.#ports) port.close();
  }
}

const made = (bytes: Uint8Array): SessionReply => ({ outcome: "made", bytes });

describe("a worker that asks the main thread for signatures of tokens", () => {
  let sides: Sides;
  before(() => sides = new Sides());
  after(() => sides.close());

  test("has them in whatever order they are made", async () => {
    const context = contextOf({ deadlineMs: performance.now() + 5_000 });
    const bytes = Uint8Array.of(1);
    const first = sides.client.perform(7, "ecdsa-sha256", bytes, context);
    const second = sides.client.perform(8, "rsa-decrypt", Uint8Array.of(2), contextOf());
    bytes[0] = 99; // the packet is read over
    await sides.arrived(2);
    const [one, two] = sides.asked.splice(0) as [Asked, Asked];
    assert.deepEqual([one.position, one.scheme, one.bytes], [7, "ecdsa-sha256", Uint8Array.of(1)]);
    assert.deepEqual([two.position, two.scheme], [8, "rsa-decrypt"]);
    const leftMs = one.deadlineMs - performance.now();
    assert.ok(leftMs > 3_000 && leftMs <= 5_100, `${leftMs}`);
    assert.equal(two.deadlineMs, Infinity);
    assert.notEqual(one.connection, two.connection);
    two.settle({ ...made(Uint8Array.of(22)), ...{ id: 0 } }); // the session's number for it
    assert.deepEqual(await second, Uint8Array.of(22));
    one.settle(made(Uint8Array.of(11)));
    assert.deepEqual(await first, Uint8Array.of(11));
  });

  test("has errors with their codes", async () => {
    const asked = sides.client.perform(0, "ed25519", new Uint8Array(0), contextOf());
    await sides.arrived(1);
    sides.asked.splice(0)[0]!.settle(replyOf("HSM_BUSY", "no session was free"));
    await assert.rejects(asked, { code: "HSM_BUSY", message: "no session was free" });
  });

  test("tells connections apart, and says which are gone", async () => {
    const [staying, leaving] = [new AbortController(), new AbortController()];
    const sign = (signal: AbortSignal) =>
      sides.client.perform(0, "ed25519", new Uint8Array(0), contextOf({ signal }));
    const [one, two, three] = [sign(staying.signal), sign(leaving.signal), sign(leaving.signal)];
    await sides.arrived(3);
    const [a, b, c] = sides.asked.splice(0) as [Asked, Asked, Asked];
    assert.equal(b.connection, c.connection);
    assert.notEqual(a.connection, b.connection);
    leaving.abort();
    await assert.rejects(two!, { code: "ABORTED" });
    await assert.rejects(three!, { code: "ABORTED" });
    const again = sign(staying.signal);
    await sides.arrived(1); // behind the word that the other is gone
    assert.equal(b.connection.aborted, true);
    assert.equal(a.connection.aborted, false);
    for (const each of [a, b, c, ...sides.asked.splice(0)]) each.settle(made(Uint8Array.of(1)));
    await Promise.all([one, again]);
  });

  test("wants nothing any more when it has ended", async () => {
    const ended = new Sides();
    void ended.client.perform(0, "ed25519", new Uint8Array(0), contextOf());
    await ended.arrived(1);
    ended.desk.end();
    assert.equal(ended.asked[0]!.connection.aborted, true);
    ended.close();
  });

  test("has a bound of its own: at it, and beyond it", async () => {
    const bounded = new Sides(4);
    const ask = () =>
      bounded.client.perform(0, "ed25519", new Uint8Array(0), contextOf({ heldBytes: 1 }));
    const asked = [ask(), ask(), ask(), ask()];
    assert.throws(ask, { code: "QUEUE_FULL" });
    await bounded.arrived(4);
    for (const each of bounded.asked.splice(0)) each.settle(made(Uint8Array.of(1)));
    await Promise.all(asked);
    const more = ask();
    await bounded.arrived(1);
    bounded.asked[0]!.settle(made(Uint8Array.of(1)));
    await more;
    bounded.close();
  });
});

describe("the keystore of a worker's tokens", () => {
  const performed: (readonly [position: number, scheme: Scheme])[] = [];
  const client = {
    perform: (position: number, scheme: Scheme) => {
      performed.push([position, scheme]);
      return Promise.resolve(Uint8Array.of(1, 2, 3));
    },
  };
  const infos = (["P-256", "RSA 2048"] as const).map((kind) =>
    describePublicKey(publicKeyOf(keyOf(kind)))
  );
  const keys = shareHsmKeys([
    { info: infos[0]!, mechanisms: ["CKM_ECDSA"] },
    { info: infos[1]!, mechanisms: ["CKM_RSA_PKCS"] },
  ]);
  const store = new HsmKeystore(structuredClone(keys), client);
  const CONTEXT = contextOf();

  test("finds by SKI, and RSA by certificate digest", async () => {
    await store.find({ ski: infos[0]!.ski })!.sign("ecdsa-sha256", new Uint8Array(32), CONTEXT);
    const rsa = store.find({ digest: infos[1]!.digest! })!;
    await rsa.sign("rsa-sha256", new Uint8Array(32), CONTEXT);
    assert.deepEqual(performed.splice(0), [[0, "ecdsa-sha256"], [1, "rsa-sha256"]]);
    assert.equal(store.find({ ski: new Uint8Array(20) }), undefined);
    assert.equal(store.find({ ski: infos[0]!.ski.subarray(1) }), undefined);
    assert.equal(store.find({}), undefined);
  });

  test("refuses what does not fit the key, and what the token does not let it do", async () => {
    const [ec, rsa] = infos.map(({ ski }) => store.find({ ski })!);
    const refused = { code: "SIGN_REFUSED" };
    await assert.rejects(ec!.sign("rsa-sha256", new Uint8Array(32), CONTEXT), refused);
    await assert.rejects(ec!.sign("ecdsa-sha256", new Uint8Array(31), CONTEXT), refused);
    await assert.rejects(
      rsa!.sign("rsa-pss-sha256", new Uint8Array(32), CONTEXT),
      { code: "SIGN_REFUSED", message: "the token does not let the key do CKM_RSA_PKCS_PSS" },
    );
    await assert.rejects(rsa!.decrypt(new Uint8Array(256), CONTEXT), refused);
    assert.deepEqual(performed, []);
  });

  test("refuses a block that is not below the modulus, before the token has it", async () => {
    const info = infos[1]!;
    const keys = shareHsmKeys([{ info, mechanisms: ["CKM_RSA_X_509"] }]);
    const rsa = new HsmKeystore(structuredClone(keys), client).find({ ski: info.ski })!;
    const { modulus } = keys.keys[0]!;
    assert.equal(toHex(createHash("sha256").update(hexOf(modulus!)).digest()), toHex(info.digest!));
    const refused = { code: "SIGN_REFUSED", message: "the block is not below the modulus" };
    for (const block of [modulus!, new Uint8Array(256).fill(255)]) {
      await assert.rejects(rsa.decrypt(block, CONTEXT), refused);
    }
    assert.deepEqual(performed, []);
    const below = modulus!.with(255, modulus![255]! - 1); // the modulus is odd
    await rsa.decrypt(below, CONTEXT);
    assert.deepEqual(performed.splice(0), [[0, "rsa-decrypt"]]);
  });

  test("gives no signature out that does not verify, where that is asked for", async () => {
    const verified: Uint8Array[] = [];
    const verify = (isRight: boolean) =>
      new HsmKeystore(keys, client, {
        verify: (_spki, _scheme, bytes) => {
          verified.push(bytes);
          return isRight;
        },
      }).find({ ski: infos[0]!.ski })!;
    const digest = new Uint8Array(32).fill(5);
    const signing = verify(true).sign("ecdsa-sha256", digest, CONTEXT);
    digest.fill(6); // the packet is read over
    assert.deepEqual(await signing, Uint8Array.of(1, 2, 3));
    assert.deepEqual(verified, [new Uint8Array(32).fill(5)]);
    await assert.rejects(verify(false).sign("ecdsa-sha256", digest, CONTEXT), {
      code: "SIGN_FAILED",
      message: /a signature by ecdsa-sha256 that does not verify/,
    });
  });
});

/** As certificate digests are made: without zeros at the beginning. */
const hexOf = (modulus: Uint8Array) => toHex(modulus).toUpperCase().replace(/^0+/, "");
