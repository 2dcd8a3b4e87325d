import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Worker } from "node:worker_threads";
import type { PrivateKey } from "../../src/crypto/engine.ts";
import { LibcryptoEngine } from "../../src/crypto/libcrypto_engine.ts";
import { DIGEST_BYTES, SCHEMES, type SignScheme } from "../../src/crypto/scheme.ts";
import { openLibcrypto } from "../../src/runtime/libcrypto.ts";
import { SigningQueue } from "../../src/threads/signing_queue.ts";
import { SigningThreads } from "../../src/threads/signing_threads.ts";
import { type KeyKind, keyOf, opensslVerifies } from "../support/openssl.ts";
import { contextOf } from "../support/request_context.ts";

const engine = new LibcryptoEngine(openLibcrypto());

const THREAD = new URL("../../src/threads/signing_thread.ts", import.meta.url);

/** Threads, a queue before them, and keys that they sign with. */
class Fixture {
  #started: (() => void) | undefined;
  readonly queue = new SigningQueue();
  /** In the order in which they were started. */
  readonly workers: Worker[] = [];
  readonly deaths: string[] = [];
  readonly threads = new SigningThreads({
    count: 2,
    onDeath: (why) => this.deaths.push(why),
    startWorker: () => {
      const worker = new Worker(THREAD);
      this.workers.push(worker);
      this.#started?.();
      return worker;
    },
  });
  readonly #keys = new Map<KeyKind, PrivateKey>();

  constructor() {
    this.threads.attach(this.queue);
  }

  key(kind: KeyKind): PrivateKey {
    const key = this.#keys.get(kind) ?? engine.load(keyOf(kind));
    this.#keys.set(kind, key);
    return key;
  }

  sign(kind: KeyKind, scheme: SignScheme, digest: Uint8Array): Promise<Uint8Array> {
    return this.queue.sign(this.key(kind), scheme, digest, 0.3, contextOf());
  }

  /** Resolves when so many have been started. */
  async started(count: number): Promise<void> {
    while (this.workers.length < count) {
      await new Promise<void>((resolve) => this.#started = resolve);
    }
  }

  async end(): Promise<void> {
    this.queue.close();
    await this.threads.stop();
    for (const key of this.#keys.values()) engine.free(key);
  }
}

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
    ["RSA 4096", "rsa-pss-sha512"],
    ["P-384", "ecdsa-sha384"],
    ["P-521", "ecdsa-sha256"],
  ];
  for (const [kind, scheme] of made) {
    test(`sign ${scheme} with ${kind} as openssl verifies it`, async () => {
      const digest = digestOf(scheme);
      const signature = await fixture.sign(kind, scheme, digest);
      assert.ok(opensslVerifies(fixture.key(kind).info.spki, scheme, digest, signature));
    });
  }

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

test("a signing thread that dies under load is replaced, and nobody's request is lost", {
  timeout: 20_000,
}, async () => {
  const fixture = new Fixture();
  fixture.key("RSA 2048");
  const digests = Array.from({ length: 400 }, (_, mark) => digestOf("rsa-sha256", mark & 0xff));
  const answers = digests.map((digest) => fixture.sign("RSA 2048", "rsa-sha256", digest));
  await answers[20];
  await fixture.workers[0]!.terminate();
  for (const signature of await Promise.all(answers)) assert.equal(signature.length, 256);
  await fixture.started(3);
  assert.equal(fixture.deaths.length, 1);
  assert.deepEqual(fixture.threads.load(), { threads: 2, deaths: 1 });
  assert.equal(fixture.queue.load().threads, 2);
  await fixture.end();
});

test("threads that stop with requests outstanding end, and leave nobody without an answer", async () => {
  const fixture = new Fixture();
  const digests = Array.from({ length: 100 }, (_, mark) => digestOf("rsa-sha256", mark));
  const answers = digests.map((digest) => fixture.sign("RSA 4096", "rsa-sha256", digest));
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
    const queue = new SigningQueue();
    const starts: number[] = [];
    const started = Promise.withResolvers<void>();
    const threads = new SigningThreads({
      count: 1,
      startWorker: () => {
        starts.push(performance.now());
        if (starts.length === 3) started.resolve();
        return new Worker(new URL("./no_such_thread.ts", import.meta.url));
      },
    });
    threads.attach(queue);
    const key = engine.load(keyOf("RSA 2048"));
    const context = contextOf({ deadlineMs: performance.now() + 30 });
    const answer = queue.sign(key, "rsa-sha256", digestOf("rsa-sha256"), 1, context);
    await assert.rejects(answer, { code: /^(DEADLINE|SIGN_FAILED)$/ });
    await started.promise;
    assert.ok(starts[2]! - starts[1]! >= 90, "twice as long as the first time");
    await threads.stop();
    queue.close();
    engine.free(key);
  },
);
