import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { after, before, describe, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import type { LoadedKey, PrivateKey } from "../../src/crypto/engine.ts";
import { LibcryptoEngine } from "../../src/crypto/libcrypto_engine.ts";
import { DIGEST_BYTES, SCHEMES, type SignScheme } from "../../src/crypto/scheme.ts";
import { openLibcrypto } from "../../src/runtime/libcrypto.ts";
import { Signals, THREAD_STATE } from "../../src/threads/signals.ts";
import { createSigningMemory } from "../../src/threads/signing_memory.ts";
import { SigningQueue } from "../../src/threads/signing_queue.ts";
import type { SigningThreadData } from "../../src/threads/signing_thread.ts";
import { SigningThreads } from "../../src/threads/signing_threads.ts";
import { type KeyKind, keyOf, opensslVerifies } from "../support/openssl.ts";
import { contextOf } from "../support/request_context.ts";
import type { LoopSignature, SigningLoopData } from "../support/signing_loop.ts";

const engine = new LibcryptoEngine(openLibcrypto());

const THREAD = new URL("../../src/threads/signing_thread.ts", import.meta.url);
const LOOP = new URL("../support/signing_loop.ts", import.meta.url);
const MORTAL_THREAD = new URL("../support/mortal_signing_thread.ts", import.meta.url);

/** Threads, a queue before them, and keys that they sign with. */
class Fixture {
  readonly memory = createSigningMemory(LOOPS, 2);
  readonly queue = new SigningQueue(this.memory, 0);
  readonly deaths: string[] = [];
  readonly threads: SigningThreads;
  #started = 0;
  #onStart: (() => void) | undefined;

  /** @param mortal how many of the threads, the first ones, die with the first turn that they take */
  constructor(mortal = 0) {
    this.threads = new SigningThreads(this.memory, {
      onDeath: (why) => this.deaths.push(why),
      startWorker: (workerData: SigningThreadData) => {
        this.#started += 1;
        this.#onStart?.();
        return new Worker(this.#started <= mortal ? MORTAL_THREAD : THREAD, { workerData });
      },
    });
  }

  readonly #keys = new Map<KeyKind, LoadedKey>();

  key(kind: KeyKind): LoadedKey {
    const key = this.#keys.get(kind) ?? engine.load(keyOf(kind));
    this.#keys.set(kind, key);
    return key;
  }

  sign(kind: KeyKind, scheme: SignScheme, digest: Uint8Array): Promise<Uint8Array> {
    return this.queue.sign(this.key(kind), scheme, digest, 0.3, contextOf());
  }

  /** Resolves when so many have been started. */
  async started(count: number): Promise<void> {
    while (this.#started < count) await new Promise<void>((resolve) => this.#onStart = resolve);
  }

  async end(): Promise<void> {
    this.queue.close();
    await this.threads.stop();
    for (const key of this.#keys.values()) engine.free(key);
  }
}

/** The first is the fixture's own queue. */
const LOOPS = 3;

function digestOf(scheme: SignScheme, mark = 1): Uint8Array {
  return new Uint8Array(DIGEST_BYTES[SCHEMES[scheme].hash!]).fill(mark);
}

describe("signing threads", () => {
  let fixture: Fixture;
  before(() => {
    fixture = new Fixture();
    fixture.key("RSA 2048");
  });
  after(() => fixture.end());

  const made: readonly [KeyKind, SignScheme][] = [
    ["RSA 2048", "rsa-sha256"],
    ["RSA 2048", "rsa-md5sha1"],
    ["RSA 3072", "rsa-pss-sha512"],
    ["P-224", "ecdsa-sha224"],
    ["P-256", "ecdsa-sha256"],
    ["P-384", "ecdsa-sha384"],
    ["P-521", "ecdsa-sha256"],
    ["P-521", "ecdsa-sha512"],
  ];
  for (const [kind, scheme] of made) {
    test(`sign ${scheme} with ${kind} as openssl verifies it`, async () => {
      const digest = digestOf(scheme);
      const signature = await fixture.sign(kind, scheme, digest);
      assert.ok(opensslVerifies(fixture.key(kind).info.spki, scheme, digest, signature));
    });
  }

  test("sign a message with Ed25519 as the engine itself does", async () => {
    const message = new Uint8Array(1_000).fill(7);
    const signature = await fixture.sign("Ed25519", "ed25519", message);
    assert.deepEqual(signature, engine.sign(fixture.key("Ed25519"), "ed25519", message));
  });

  test("decrypt as the engine itself does", async () => {
    const key = fixture.key("RSA 2048");
    const block = new Uint8Array(256).fill(3, 1);
    const plain = await fixture.queue.sign(key, "rsa-decrypt", block, 1, contextOf());
    assert.deepEqual(plain, engine.decrypt(key, block));
  });

  test("refuse a block that is not below the modulus", async () => {
    const block = new Uint8Array(256).fill(0xff);
    const key = fixture.key("RSA 2048");
    await assert.rejects(fixture.queue.sign(key, "rsa-decrypt", block, 1, contextOf()), {
      code: "SIGN_REFUSED",
      message: /not below the modulus/,
    });
  });

  test("give every request of a crowd its own answer", async () => {
    const key = fixture.key("RSA 2048");
    const digests = Array.from({ length: 200 }, (_, mark) => digestOf("rsa-sha256", mark));
    const signatures = await Promise.all(
      digests.map((digest) => fixture.sign("RSA 2048", "rsa-sha256", digest)),
    );
    for (const [index, digest] of digests.entries()) {
      assert.deepEqual(signatures[index], engine.sign(key, "rsa-sha256", digest));
    }
    const { waiting, atThreads, threads } = fixture.queue.load();
    assert.deepEqual({ waiting, atThreads, threads }, { waiting: 0, atThreads: 0, threads: 2 });
  });
});

test("signing threads that die with requests are replaced, and nobody's request is lost", {
  timeout: 20_000,
}, async () => {
  const fixture = new Fixture(2);
  const digests = Array.from({ length: 200 }, (_, mark) => digestOf("rsa-sha256", mark));
  const key = fixture.key("RSA 2048");
  const answers = digests.map((digest) => fixture.sign("RSA 2048", "rsa-sha256", digest));
  for (const [index, signature] of (await Promise.all(answers)).entries()) {
    assert.deepEqual(signature, engine.sign(key, "rsa-sha256", digests[index]!));
  }
  await fixture.started(4);
  assert.equal(fixture.deaths.length, 2);
  assert.match(fixture.deaths[0]!, /out of luck/);
  assert.deepEqual(fixture.threads.load(), { threads: 2, deaths: 2 });
  assert.equal(fixture.queue.load().threads, 2);
  await fixture.end();
});

test("event loops that die, or are ended, with requests outstanding hurt nobody", {
  timeout: 20_000,
}, async () => {
  const fixture = new Fixture();
  const key = fixture.key("RSA 2048");
  const expected = Array.from(
    { length: 16 },
    (_, mark) => engine.sign(key, "rsa-sha256", digestOf("rsa-sha256", mark)),
  );
  const shared: PrivateKey = { info: { type: "rsa", bits: 2_048 }, handle: key.handle };
  const endings: Promise<void>[] = [];
  for (let round = 0; round < 3; round++) {
    for (const [loop, diesAfter] of [[1, 40], [2, Infinity]] as const) {
      endings.push(useLoop({ memory: fixture.memory, loop, key: shared, diesAfter }));
    }
    await Promise.all(endings);
    const answers = expected.map((_, mark) =>
      fixture.sign("RSA 2048", "rsa-sha256", digestOf("rsa-sha256", mark))
    );
    assert.deepEqual(await Promise.all(answers), expected);
  }
  assert.deepEqual(fixture.deaths, []);
  await fixture.end();

  /** Runs an event loop until it has died, or has had some signatures and is ended. */
  function useLoop(workerData: SigningLoopData): Promise<void> {
    const worker = new Worker(LOOP, { workerData });
    let count = 0;
    return new Promise((resolve, reject) => {
      worker.on("message", ({ mark, signature }: LoopSignature) => {
        if (Buffer.compare(signature, expected[mark]!) !== 0) reject(new Error(`wrong: ${mark}`));
        count += 1;
        if (count === 60) worker.terminate();
      });
      worker.on("error", () => {}); // it dies
      worker.on("exit", () => {
        fixture.threads.loopEnded(workerData.loop);
        resolve();
      });
    });
  }
});

test("a thread that waits for work before it is known to run is called for it", async () => {
  const memory = createSigningMemory(1, 1);
  const signals = new Signals(memory);
  const threads = new SigningThreads(memory, {
    startWorker: (workerData) => {
      signals.setThread(0, THREAD_STATE.IDLE);
      return new Worker(THREAD, { workerData });
    },
  });
  assert.equal(signals.busy, 0);
  assert.ok(signals.callThread());
  await threads.stop();
});

test("a thread that an event loop called, and died before it rang, is woken when that is seen", async () => {
  const fixture = new Fixture();
  const signals = new Signals(fixture.memory);
  const key = fixture.key("RSA 2048");
  const sign = () => {
    const context = contextOf({ deadlineMs: performance.now() + 2_000 });
    return fixture.queue.sign(key, "rsa-sha256", digestOf("rsa-sha256"), 0.3, context);
  };
  await sign();
  while (signals.running < 2 || signals.busy > 0) await nextTurn();
  for (const place of [0, 1]) signals.setThread(place, THREAD_STATE.BUSY);
  fixture.threads.loopEnded(1);
  assert.ok(await sign());
  await fixture.end();
});

test("threads that stop with requests outstanding end, and leave nobody without an answer", async () => {
  const fixture = new Fixture();
  const digests = Array.from({ length: 100 }, (_, mark) => digestOf("rsa-sha256", mark));
  const answers = digests.map((digest) => fixture.sign("RSA 3072", "rsa-sha256", digest));
  const settled = Promise.allSettled(answers);
  await answers[0];
  await fixture.end();
  const outcomes = (await settled).map(({ status }) => status);
  assert.equal(outcomes[0], "fulfilled");
  assert.ok(outcomes.includes("rejected"));
  assert.deepEqual(fixture.threads.load(), { threads: 0, deaths: 0 });
});

test(
  "a thread that cannot start is tried again, ever more slowly, and what waits has its deadline",
  { timeout: 20_000 },
  async () => {
    const memory = createSigningMemory(1, 1);
    const queue = new SigningQueue(memory, 0);
    const starts: number[] = [];
    const started = Promise.withResolvers<void>();
    const threads = new SigningThreads(memory, {
      startWorker: () => {
        starts.push(performance.now());
        if (starts.length === 3) started.resolve();
        return new Worker(new URL("./no_such_thread.ts", import.meta.url));
      },
    });
    const key = engine.load(keyOf("RSA 2048"));
    const context = contextOf({ deadlineMs: performance.now() + 30 });
    const answer = queue.sign(key, "rsa-sha256", digestOf("rsa-sha256"), 1, context);
    await assert.rejects(answer, { code: "DEADLINE" });
    await started.promise;
    assert.ok(starts[2]! - starts[1]! >= 90, "twice as long as the first time");
    await threads.stop();
    queue.close();
    engine.free(key);
  },
);
