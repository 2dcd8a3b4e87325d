import assert from "node:assert/strict";
import { mkdirSync, symlinkSync } from "node:fs";
import { setImmediate } from "node:timers";
import { afterEach, beforeEach, describe, test } from "node:test";
import { KeylessError } from "../../src/errors/errors.ts";
import type { FileStore } from "../../src/keystore/file_store.ts";
import { contextOf } from "../support/request_context.ts";
import { openssl } from "../support/openssl.ts";
import { makePem, opensslOf, sha, StoreFixture } from "../support/store_fixture.ts";

const keys = {
  p256: makePem("P-256"),
  other: makePem("P-256"),
  rsa: makePem("RSA 2048"),
  ed25519: makePem("Ed25519"),
};

const TYPES = { p256: "ec", rsa: "rsa", ed25519: "ed25519" } as const;

let fixture: StoreFixture;
beforeEach(() => {
  fixture = new StoreFixture();
});
afterEach(() => fixture.end());

describe("a store of key files", () => {
  test("holds the keys of a directory, PEM and DER, and of single files of any name", async () => {
    mkdirSync(fixture.dir.at("below"));
    fixture.dir.write("below/b.key", opensslOf(keys.rsa, "pkey", "-outform", "DER"));
    fixture.dir.write("a.key", keys.p256);
    fixture.dir.write("a.key.bak", "not looked at");
    fixture.dir.write("ed.pem", keys.ed25519);
    const store = await fixture.load({}, [{ dir: fixture.dir.path }, {
      file: fixture.dir.at("ed.pem"),
    }]);
    fixture.expectKeys(store, {
      "a.key": keys.p256,
      "below/b.key": keys.rsa,
      "ed.pem": keys.ed25519,
    });
    assert.deepEqual(store.failures, []);
  });

  test("without a key is empty, and finds nothing", async () => {
    const store = await fixture.load();
    assert.equal(store.size, 0);
    assert.deepEqual([...store.keys()], []);
    assert.equal(store.find({ ski: new Uint8Array(20) }), undefined);
  });

  test("holds the keys of a Kubernetes volume once, without a word about repetition", async () => {
    const warnings: string[] = [];
    mkdirSync(fixture.dir.at("..2026_01_01"));
    fixture.dir.write("..2026_01_01/a.key", keys.p256);
    symlinkSync("..2026_01_01", fixture.dir.at("..data"));
    symlinkSync("..data/a.key", fixture.dir.at("a.key"));
    fixture.expectKeys(await fixture.load({ onWarning: (path) => warnings.push(path) }), {
      "a.key": keys.p256,
    });
    assert.deepEqual(warnings, []);
  });

  test("tells how far it is: at the end, all files", async () => {
    fixture.dir.write("a.key", keys.p256);
    fixture.dir.write("b.key", keys.other);
    const seen: [number, number][] = [];
    await fixture.load({ onProgress: (...progress) => seen.push(progress) });
    assert.deepEqual(seen.at(-1), [2, 2]);
  });

  test("gives the event loop turns while it loads", async () => {
    for (const name of ["a", "b", "c"]) fixture.dir.write(`${name}.key`, keys.p256);
    let turns = 0;
    fixture.engine.onLoad = () => {
      setImmediate(() => turns++);
      const start = performance.now();
      while (performance.now() - start < 60); // longer than a turn may be away
    };
    await fixture.load();
    assert.ok(turns >= 2, `${turns} turns`);
  });

  test("overwrites the bytes of every file, also of one that is no key", async () => {
    fixture.dir.write("a.key", keys.p256);
    fixture.dir.write("b.key", "no key");
    await fixture.load({ keepGoing: true });
    assert.equal(fixture.engine.given.length, 2);
    for (const bytes of fixture.engine.given) {
      assert.ok(bytes.length > 0 && bytes.every((byte) => byte === 0));
    }
  });

  test("gives all keys back when it is closed, finds none, and a signer in hand refuses", async () => {
    fixture.dir.write("a.key", keys.p256);
    const store = await fixture.load();
    const { ski } = store.at(0).info;
    const signer = store.find({ ski });
    assert.ok(signer);
    store.close();
    assert.equal(fixture.engine.held, 0);
    assert.equal(store.find({ ski }), undefined);
    for (
      const use of [
        () => signer.sign("ecdsa-sha256", new Uint8Array(32), contextOf()),
        () => signer.decrypt(new Uint8Array(32), contextOf()),
      ]
    ) {
      assert.throws(
        use,
        (error) => error instanceof KeylessError && error.code === "KEY_WITHDRAWN",
      );
    }
    store.close();
    assert.equal(fixture.engine.held, 0, "closing twice gives nothing back twice");
  });
});

describe("a store finds", () => {
  let store: FileStore;
  let rsaDigest: Uint8Array;
  const skiOf = (name: string) => {
    const key = [...store.keys()].find(({ path }) => path.endsWith(name));
    assert.ok(key, name);
    return key.info.ski;
  };

  beforeEach(async () => {
    for (const name of ["p256", "rsa", "ed25519"] as const) {
      fixture.dir.write(`${name}.key`, keys[name]);
    }
    store = await fixture.load();
    const line = new TextDecoder().decode(opensslOf(keys.rsa, "rsa", "-noout", "-modulus"));
    rsaDigest = sha("sha256", line.trim().replace("Modulus=", ""));
  });

  test("each key by its SKI, whatever the digest says", () => {
    for (const name of ["p256", "rsa", "ed25519"] as const) {
      const ski = skiOf(`${name}.key`);
      for (const digest of [undefined, rsaDigest, new Uint8Array(32), new Uint8Array(3)]) {
        assert.equal(store.find({ ski, digest })?.info.type, TYPES[name], name);
      }
    }
  });

  test("an RSA key by its certificate digest where the SKI is absent or empty", () => {
    for (const ski of [undefined, new Uint8Array(0)]) {
      assert.equal(store.find({ ski, digest: rsaDigest })?.info.type, "rsa");
    }
  });

  test("nothing by an SKI that is zero, unknown or of a wrong length, even with a digest", () => {
    const known = skiOf("rsa.key");
    const wrong = [
      new Uint8Array(20),
      new Uint8Array(20).fill(1),
      known.subarray(0, 19),
      Uint8Array.of(...known, 0),
      rsaDigest,
    ];
    for (const ski of wrong) assert.equal(store.find({ ski, digest: rsaDigest }), undefined);
  });

  test("nothing by a digest that is unknown or of a wrong length, and nothing by nothing", () => {
    const wrong = [new Uint8Array(32), rsaDigest.subarray(0, 31), Uint8Array.of(...rsaDigest, 0)];
    for (const digest of wrong) assert.equal(store.find({ digest }), undefined);
    assert.equal(store.find({ digest: skiOf("p256.key") }), undefined);
    assert.equal(store.find({}), undefined);
    assert.equal(store.find({ serverName: "example.com" }), undefined);
  });

  test("signers whose signatures openssl accepts", async () => {
    const data = new TextEncoder().encode("signed by a key that was found");
    const signature = await store.find({ ski: skiOf("p256.key") })?.sign(
      "ecdsa-sha256",
      sha("sha256", data),
      contextOf(),
    );
    assert.ok(signature);
    fixture.dir.write("public.pem", opensslOf(keys.p256, "pkey", "-pubout"));
    fixture.dir.write("signature", signature);
    openssl(
      [
        "dgst",
        "-sha256",
        "-verify",
        fixture.dir.at("public.pem"),
        "-signature",
        fixture.dir.at("signature"),
      ],
      data,
    );
  });

  test("signers that decrypt with RSA", async () => {
    const block = new Uint8Array(256).fill(0);
    block[255] = 2;
    const plain = await store.find({ ski: skiOf("rsa.key") })?.decrypt(block, contextOf());
    assert.ok(plain);
    const back = openssl(
      ["rsautl", "-encrypt", "-raw", "-inkey", fixture.dir.at("rsa.key")],
      plain,
    );
    assert.deepEqual(back, block);
  });
});
