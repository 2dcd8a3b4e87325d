import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { Worker } from "node:worker_threads";
import type { SignScheme } from "../../src/crypto/scheme.ts";
import { selectEngine } from "../../src/crypto/select_engine.ts";
import { type FileStore, loadFileStore } from "../../src/keystore/file_store.ts";
import type { SharedKeys } from "../../src/keystore/shared_keys.ts";
import { SharedStore } from "../../src/keystore/shared_store.ts";
import type { Elsewhere } from "../../src/keystore/software_signer.ts";
import { Asker } from "../../src/threads/questions.ts";
import { type KeyKind, keyOf, opensslVerifies } from "../support/openssl.ts";
import { contextOf } from "../support/request_context.ts";
import { makePem, StoreFixture } from "../support/store_fixture.ts";
import { makeTempDir, type TempDir } from "../support/temp_dir.ts";
import type { StoreWorkerAnswers, StoreWorkerData } from "./shared_store_worker.ts";

const SCHEMES = [
  ["P-256", "ecdsa-sha256", 32],
  ["P-521", "ecdsa-sha512", 64],
  ["RSA 2048", "rsa-pss-sha256", 32],
  ["Ed25519", "ed25519", 100],
] as const satisfies readonly [KeyKind, SignScheme, number][];

const DIGEST = new Uint8Array(32).fill(3);

/** A worker that has a store's keys, and what it answers. */
class StoreThread extends Asker<StoreWorkerAnswers> {
  readonly #worker: Worker;

  constructor(workerData: StoreWorkerData) {
    const worker = new Worker(new URL("./shared_store_worker.ts", import.meta.url), {
      workerData,
    });
    super(worker);
    this.#worker = worker;
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }
}

for (const name of ["libcrypto", "portable"] as const) {
  describe(`a store of ${name} that is shared with a worker`, () => {
    let dir: TempDir;
    let store: FileStore;
    let thread: StoreThread;
    before(async () => {
      dir = makeTempDir();
      for (const [kind] of SCHEMES) dir.write(`${kind}.key`, keyOf(kind));
      store = await loadFileStore([{ dir: dir.path }], { engine: selectEngine(name) });
      thread = new StoreThread({ engine: name, keys: store.share() });
    });
    after(async () => {
      store.close();
      await thread.stop();
      dir.remove();
    });

    const infoOf = (kind: KeyKind) => {
      const key = [...store.keys()].find(({ path }) => path === dir.at(`${kind}.key`));
      assert.ok(key, kind);
      return key.info;
    };
    const sign = (kind: KeyKind) => {
      const query = { ski: infoOf(kind).ski };
      return thread.ask("sign", { query, scheme: "ecdsa-sha256", bytes: DIGEST });
    };

    for (const [kind, scheme, lengthBytes] of SCHEMES) {
      test(`signs there with ${kind}, again and again, as openssl verifies`, async () => {
        const { ski, spki } = infoOf(kind);
        for (const mark of [1, 2]) {
          const bytes = new Uint8Array(lengthBytes).fill(mark);
          const signature = await thread.ask("sign", { query: { ski }, scheme, bytes });
          assert.ok(signature && opensslVerifies(spki, scheme, bytes, signature));
        }
      });
    }

    test("finds there an RSA key by its certificate digest", async () => {
      const { digest, spki } = infoOf("RSA 2048");
      for (const ski of [undefined, new Uint8Array(0)]) {
        const query = { ski, digest };
        const signature = await thread.ask("sign", { query, scheme: "rsa-sha256", bytes: DIGEST });
        assert.ok(signature && opensslVerifies(spki, "rsa-sha256", DIGEST, signature));
      }
    });

    test("finds nothing there by an SKI that is unknown or of another length", async () => {
      const { ski } = infoOf("P-256");
      const unknown = [ski.subarray(0, 19), Uint8Array.of(...ski, 0), new Uint8Array(20)];
      for (const ski of unknown) {
        const asked = { query: { ski }, scheme: "ecdsa-sha256", bytes: DIGEST } as const;
        assert.equal(await thread.ask("sign", asked), undefined);
      }
    });

    test("refuses there what does not fit the key, in its own words", async () => {
      await assert.rejects(sign("RSA 2048"), /ecdsa-sha256 does not fit a key of kind RSA 2048/);
    });

    test("refuses there a key that is withdrawn, then all when the store is closed", async () => {
      const position = [...store.keys()].findIndex(({ path }) => path === dir.at("P-521.key"));
      assert.ok(await sign("P-521"));
      store.withdraw(position);
      await assert.rejects(sign("P-521"), /the key was withdrawn/);
      assert.ok(await sign("P-256"));
      store.close();
      await assert.rejects(sign("P-256"), /the key was withdrawn.*its store is closed/);
    });
  });
}

test("a worker that was given the keys of an empty store finds none", async () => {
  const store = await loadFileStore([], { engine: selectEngine("libcrypto") });
  const thread = new StoreThread({ engine: "libcrypto", keys: store.share() });
  for (const query of [{ ski: new Uint8Array(20) }, { digest: new Uint8Array(32) }]) {
    const asked = { query, scheme: "rsa-sha256", bytes: DIGEST } as const;
    assert.equal(await thread.ask("sign", asked), undefined);
  }
  await thread.stop();
  store.close();
});

describe("the record of a store", () => {
  let fixture: StoreFixture;
  beforeEach(() => {
    fixture = new StoreFixture();
    fixture.dir.write("a.key", keyOf("P-256"));
    fixture.dir.write("b.key", keyOf("RSA 2048"));
    fixture.dir.write("c.key", keyOf("RSA 3072"));
  });
  afterEach(() => fixture.end());

  test("is made once, and names each kind and size once, with what it costs", async () => {
    fixture.dir.write("d.key", keyOf("Ed25519"));
    fixture.dir.write("e.key", makePem("P-256"));
    const store = await fixture.load();
    const keys = store.share();
    assert.equal(store.share(), keys);
    const shapes = keys.shapes.map(({ type, bits }) => `${type} ${bits}`);
    assert.deepEqual(shapes, ["ec 256", "rsa 2048", "rsa 3072", "ed25519 256"]);
    const [ec, rsa2048, rsa3072] = keys.shapes.map(({ costMs }) => costMs);
    assert.ok(ec! < rsa2048! && rsa2048! < rsa3072!, "in milliseconds");
  });

  test("has slow operations carried out elsewhere, and what is not slow here", async () => {
    const store = await fixture.load();
    const keys = withCosts(store.share(), { 256: 0.02, 2_048: 0.1, 3_072: 0.11 });
    const asked: number[] = [];
    const elsewhere: Elsewhere = {
      maxBytes: 1_024,
      sign({ info }) {
        asked.push(info.bits);
        return Promise.resolve(DIGEST);
      },
    };
    const schemes = ["ecdsa-sha256", "rsa-sha256", "rsa-sha256"] as const;
    const signAll = async (shared: SharedStore) => {
      asked.length = 0;
      for (const [position, { info: { ski } }] of [...store.keys()].entries()) {
        await shared.find({ ski })!.sign(schemes[position]!, DIGEST, contextOf());
      }
      return [...asked];
    };
    const { engine } = fixture;
    assert.deepEqual(await signAll(new SharedStore(engine, keys)), []);
    assert.deepEqual(await signAll(new SharedStore(engine, keys, { elsewhere })), [3_072]);
    const options = { elsewhere, slowMs: 0.01 };
    assert.deepEqual(await signAll(new SharedStore(engine, keys, options)), [256, 2_048, 3_072]);
  });

  test("of the portable engine leaves slow operations in the thread, and no key behind", async () => {
    const engine = selectEngine("portable");
    const store = await loadFileStore([{ dir: fixture.dir.path }], { engine });
    const keys = store.share();
    assert.ok("encodings" in keys.material);
    const encodings = new Uint8Array(keys.material.encodings);
    assert.ok(encodings.length > 1_000 && encodings.some((byte) => byte !== 0));
    const elsewhere: Elsewhere = { maxBytes: 1_024, sign: () => assert.fail("asked elsewhere") };
    const shared = new SharedStore(engine, keys, { elsewhere, slowMs: 0 });
    for (const { info: { ski, type } } of store.keys()) {
      const scheme = type === "rsa" ? "rsa-sha256" : "ecdsa-sha256";
      assert.ok(shared.find({ ski })!.sign(scheme, DIGEST, contextOf()) instanceof Uint8Array);
    }
    store.close();
    assert.ok(encodings.every((byte) => byte === 0));
  });
});

/** The record with costs, in milliseconds, by the bits of the keys. */
function withCosts(keys: SharedKeys, costs: Readonly<Record<number, number>>): SharedKeys {
  const shapes = keys.shapes.map((shape) => ({ ...shape, costMs: costs[shape.bits]! }));
  return { ...keys, shapes };
}
