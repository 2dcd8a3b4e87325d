/** Whose public half is whose, on tokens where names are not what they should be. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { describePublicKey } from "../../src/crypto/public_key.ts";
import { digestOf } from "../../src/crypto/verify.ts";
import { findKeys } from "../../src/hsm/key_listing.ts";
import type { FoundKey } from "../../src/hsm/module_calls.ts";
import type { ModuleChannel } from "../../src/hsm/module_channel.ts";
import type { KeyTemplate } from "../../src/hsm/token_keys.ts";
import { logIn, openModule, performOn } from "../support/hsm_process.ts";
import { keyOf, openssl, opensslVerifies, publicKeyOf } from "../support/openssl.ts";
import { makeSlowModule } from "../support/slow_module.ts";
import { makeSoftHsm, type SoftHsm, softHsmPath } from "../support/softhsm.ts";

const SLOW = { timeout: 30_000 };

let hsm: SoftHsm;
before(() => hsm = makeSoftHsm());
after(() => hsm.remove());

/** Makes a pair of P-256 on a token. */
const makePair = (token: string, id: string, label: string) => {
  const key = ["--key-type", "EC:prime256v1", "--id", id, "--label", label];
  hsm.tool(token, "--keypairgen", ...key);
};
const remove = (token: string, type: "pubkey" | "privkey", label: string) =>
  hsm.tool(token, "--delete-object", "--type", type, "--label", label);

async function withToken(
  token: string,
  use: (channel: ModuleChannel, slotId: number) => Promise<void>,
  path = softHsmPath(),
  options: Parameters<typeof openModule>[1] = { env: hsm.env },
): Promise<void> {
  const channel = openModule(path, options);
  const ended = new Promise((resolve) => channel.once("exit", resolve));
  await channel.opened;
  try {
    await use(channel, await logIn(channel, token));
  } finally {
    channel.end();
    await ended;
  }
}

const listed = async (token: string, template: KeyTemplate = {}) => {
  let found: readonly FoundKey[] = [];
  await withToken(token, async (channel, slotId) => {
    found = await findKeys(channel, slotId, template);
  });
  return found;
};

describe("of two EC pairs with one id", () => {
  before(() => {
    hsm.addToken("twins");
    for (const label of ["old", "new"]) makePair("twins", "01", label);
  });

  for (const template of [{ label: "old" }, { label: "new" }, { id: Uint8Array.of(1) }, {}]) {
    const { label = "id" in template ? "their id" : "nothing" } = template;
    test(`each key found by ${label} has the public half that verifies it`, SLOW, async () => {
      await withToken("twins", async (channel, slotId) => {
        const keys = await findKeys(channel, slotId, template);
        assert.equal(keys.length, "label" in template ? 1 : 2);
        const session = await channel.openSession(slotId);
        const perform = performOn([session]);
        await channel.ask("bindKeys", {
          keys: keys.map(({ handle }, number) => ({ number, handle })),
        });
        const digest = digestOf("ecdsa-sha256", new TextEncoder().encode("hello"));
        for (const [handle, { spki }] of keys.entries()) {
          const info = describePublicKey(spki!);
          const signature = await perform({ info, handle }, "ecdsa-sha256", digest);
          assert.ok(opensslVerifies(spki!, "ecdsa-sha256", digest, signature));
        }
      });
    });
  }

  test("one without a public key is not given that of the other", SLOW, async () => {
    hsm.addToken("orphan");
    for (const label of ["old", "new"]) makePair("orphan", "01", label);
    remove("orphan", "pubkey", "new");
    for (const template of [{}, { label: "new" }]) {
      const key = (await listed("orphan", template)).find(({ label }) => label === "new")!;
      assert.deepEqual([key.spki, key.rivals], [undefined, []]);
    }
    const [old] = await listed("orphan", { label: "old" });
    assert.equal(old!.spkiFrom, "public key");
  });
});

test("an EC key beside two public keys, neither with its label, has both named", SLOW, async () => {
  hsm.addToken("rivals");
  for (const label of ["one", "other", "third"]) makePair("rivals", "01", label);
  for (const label of ["one", "other"]) remove("rivals", "privkey", label);
  remove("rivals", "pubkey", "third");
  const [key] = await listed("rivals", { label: "third" });
  assert.equal(key!.spki, undefined);
  assert.deepEqual(key!.rivals!.map(({ label }) => label).toSorted(), ["one", "other"]);
});

test("a public key with another label is a key's own where it alone has its id", SLOW, async () => {
  hsm.addToken("renamed");
  for (const label of ["public", "private"]) makePair("renamed", "01", label);
  remove("renamed", "pubkey", "private");
  remove("renamed", "privkey", "public");
  const [key] = await listed("renamed");
  assert.equal(key!.spkiFrom, "public key");
});

test("an RSA key is told by its own modulus, whatever stands beside it", SLOW, async () => {
  hsm.addToken("rsa");
  hsm.importKey("rsa", keyOf("RSA 2048"), { label: "tls", id: "01" });
  const other = hsm.dir.write("other.key", keyOf("RSA 3072"));
  const request = ["req", "-x509", "-key", other, "-subj", "/CN=other", "-outform", "DER"];
  const certificate = hsm.dir.write("other.der", openssl(request));
  hsm.tool("rsa", "--delete-object", "--type", "pubkey", "--id", "01");
  const name = ["--id", "01", "--label", "tls"];
  hsm.tool("rsa", "--write-object", certificate, "--type", "cert", ...name);
  const [key] = await listed("rsa");
  assert.deepEqual(Array.from(key!.spki!), Array.from(publicKeyOf(keyOf("RSA 2048"))));
  assert.equal(key!.hasCertificate, true);
});

test("keys come in the order of their ids, then of their labels", SLOW, async () => {
  hsm.addToken("order");
  const names = [["03", "a"], ["01", "b"], ["02", "c"], ["01", "a"]] as const;
  for (const [id, label] of names) makePair("order", id, label);
  const keys = (await listed("order")).map(({ id, label }) => `${id[0]} ${label}`);
  assert.deepEqual(keys, ["1 a", "1 b", "2 c", "3 a"]);
});

test("objects that cannot be read are left out: the others are served", SLOW, async () => {
  hsm.addToken("odd");
  hsm.importKey("odd", keyOf("P-256"), { label: "fine", id: "01" });
  hsm.importKey("odd", keyOf("P-384"), { label: "broken", id: "02" });
  const { path, env } = makeSlowModule(hsm);
  const options = { env: { ...env, SLOW_MODULE_ODD: "broken" } };
  await withToken(
    "odd",
    async (channel, slotId) => {
      const keys = await findKeys(channel, slotId, {});
      assert.deepEqual(keys.map(({ label, spkiFrom }) => [label, spkiFrom]), [[
        "fine",
        "public key",
      ]]);
    },
    path,
    options,
  );
});

test("a token that takes long for all its keys is not taken for hung", SLOW, async () => {
  hsm.addToken("slow");
  hsm.importKey("slow", keyOf("P-256"), { label: "tls", id: "01" });
  hsm.copyObjects("slow", 15);
  const { path, env } = makeSlowModule(hsm);
  const options = { env: { ...env, SLOW_MODULE_READ_MS: "15" }, callTimeoutMs: 800 };
  await withToken(
    "slow",
    async (channel, slotId) => {
      const sinceMs = performance.now();
      assert.equal((await findKeys(channel, slotId, {})).length, 16);
      const tookMs = performance.now() - sinceMs;
      assert.ok(tookMs > options.callTimeoutMs, `${tookMs} ms`);
    },
    path,
    options,
  );
});
