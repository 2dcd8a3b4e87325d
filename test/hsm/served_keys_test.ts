import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { describePublicKey } from "../../src/crypto/public_key.ts";
import type { FoundKey, KeyBinding, ModuleCalls } from "../../src/hsm/module_calls.ts";
import type { ModuleChannel } from "../../src/hsm/module_channel.ts";
import { ServedKeys } from "../../src/hsm/served_keys.ts";
import type { KeyTemplate } from "../../src/hsm/token_keys.ts";
import { keyOf as keyOfKind, publicKeyOf } from "../support/openssl.ts";

/** A module whose token has these keys, each with a handle of one byte. */
class FakeToken {
  keys: readonly FoundKey[];
  readonly looked: KeyTemplate[] = [];
  readonly bound = new Map<number, number | undefined>();
  /** Settles with what the next search throws. */
  held: Promise<void> | undefined;

  constructor(keys: readonly FoundKey[]) {
    this.keys = keys;
  }

  readonly channel = {
    ask: async (name: keyof ModuleCalls, asked: unknown) => {
      if (name === "bindKeys") {
        const { keys } = asked as { readonly keys: readonly KeyBinding[] };
        for (const { number, handle } of keys) this.bound.set(number, handle?.[0]);
        return;
      }
      const { template } = asked as { readonly template: KeyTemplate };
      this.looked.push(template);
      const found = this.keys.filter(({ id, label }) =>
        (template.id === undefined || template.id[0] === id[0]) &&
        (template.label === undefined || template.label === label)
      );
      const { held } = this;
      this.held = undefined;
      await held;
      return { keys: found, listing: undefined };
    },
  } as unknown as Pick<ModuleChannel, "ask">;
}

const keyOf = (number: number, handle: number, spki = number): FoundKey => ({
  id: Uint8Array.of(number),
  label: `key ${number}`,
  keyType: 3,
  spki: Uint8Array.of(spki),
  spkiFrom: "private key",
  hasCertificate: false,
  canSign: true,
  canDecrypt: false,
  isExtractable: false,
  isAlwaysAuthenticated: false,
  allowedMechanisms: undefined,
  handle: Uint8Array.of(handle),
});

const INFO = describePublicKey(publicKeyOf(keyOfKind("P-256")));

async function serve(token: FakeToken, templates: readonly KeyTemplate[]): Promise<ServedKeys> {
  const served = new ServedKeys();
  const found: FoundKey[] = [];
  for (const template of templates) found.push(...await served.find(token.channel, 0, template));
  const keys = found.map((key, number) => {
    return {
      ...key,
      number,
      info: { ...INFO, spki: key.spki! },
      mechanisms: ["CKM_ECDSA"] as const,
    };
  });
  await served.serve(token.channel, keys);
  token.looked.splice(0);
  return served;
}

describe("the keys that are served of a token", () => {
  test("are found again as they were found, where they are many", async () => {
    const token = new FakeToken(Array.from({ length: 30 }, (_, n) => keyOf(n, n)));
    const templates = Array.from({ length: 9 }, (_, n) => ({ label: `key ${n}` }));
    const served = await serve(token, templates);
    token.keys = token.keys.map((key, n) => ({ ...key, handle: Uint8Array.of(100 + n) }));
    assert.deepEqual(await served.findAgain(token.channel, 0), []);
    assert.deepEqual(token.looked, templates, "not the whole token");
    assert.deepEqual([...token.bound.values()], templates.map((_, n) => 100 + n));
  });

  test("are not bound to handles of a search that failed", async () => {
    const token = new FakeToken([keyOf(1, 11), keyOf(2, 12)]);
    const served = await serve(token, [{ id: Uint8Array.of(1) }, { id: Uint8Array.of(2) }]);
    const failing = served.findAgain(token.channel, 0);
    token.held = Promise.reject(new Error("gone")); // the second search
    await assert.rejects(failing, /gone/);
    token.keys = [keyOf(1, 21), keyOf(2, 22)];
    await served.findAgain(token.channel, 0);
    assert.deepEqual([...token.bound], [[0, 21], [1, 22]]);
  });

  test("are not bound to what a search from before has found", async () => {
    const token = new FakeToken([keyOf(1, 11), keyOf(2, 12)]);
    const served = await serve(token, [{}]);
    const all = token.keys;
    token.keys = all.slice(0, 1);
    const lost = await served.findAgain(token.channel, 0);
    assert.deepEqual(lost.map(({ label }) => label), ["key 2"]);
    token.keys = all;
    const { promise, resolve } = Promise.withResolvers<void>();
    token.held = promise;
    const late = served.findMissing(token.channel, 0);
    token.keys = [keyOf(1, 21), keyOf(2, 22)];
    await served.findAgain(token.channel, 0);
    resolve();
    await late;
    assert.deepEqual([...token.bound], [[0, 21], [1, 22]]);
  });

  test("are those with their names, of those that have one public half, each time", async () => {
    const token = new FakeToken([keyOf(1, 11, 9), keyOf(2, 12, 9)]);
    const served = await serve(token, [{}]);
    assert.deepEqual([...token.bound], [[0, 11], [1, 12]]);
    token.keys = [keyOf(2, 22, 9), keyOf(1, 21, 9)];
    await served.findAgain(token.channel, 0);
    assert.deepEqual([...token.bound], [[0, 21], [1, 22]]);
  });
});
