import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ModuleInfo, SlotInfo } from "../../src/hsm/module.ts";
import { selectToken, uriOfToken } from "../../src/hsm/select_token.ts";
import { TOKEN_FLAGS } from "../../src/hsm/token_flags.ts";
import { formatUri, parseUri } from "../../src/hsm/uri.ts";

const MODULE: ModuleInfo = {
  manufacturer: "Acme",
  description: "Acme PKCS#11",
  version: { major: 2, minor: 6 },
  cryptoki: { major: 2, minor: 40 },
};

const slot = (slotId: number, label: string | undefined, serial = `s${slotId}`): SlotInfo => ({
  slotId,
  description: `Slot ${slotId}`,
  manufacturer: "Acme",
  token: label === undefined ? undefined : {
    label,
    manufacturer: "Acme",
    model: "M1",
    serial,
    flags: 0,
    sessions: 0,
    maxSessions: undefined,
    freePrivateMemory: undefined,
    totalPrivateMemory: undefined,
  },
});

const SLOTS = [slot(0, "prod"), slot(1, "test"), slot(2, "test"), slot(3, undefined)];
const select = (uri: string, slots = SLOTS) => selectToken(parseUri(uri), slots, MODULE).slotId;

describe("selectToken", () => {
  const FOUND: readonly (readonly [uri: string, slotId: number])[] = [
    ["pkcs11:token=prod", 0],
    ["pkcs11:token=test;serial=s2", 2],
    ["pkcs11:slot-id=1", 1],
    ["pkcs11:slot-description=Slot%201;object=key", 1],
    ["pkcs11:token=prod;library-version=2.6;library-manufacturer=Acme;model=M1", 0],
  ];
  for (const [uri, slotId] of FOUND) {
    test(`finds one by ${uri}`, () => assert.equal(select(uri), slotId));
  }

  const REFUSED: readonly (readonly [uri: string, message: RegExp])[] = [
    [
      "pkcs11:token=prd",
      /^no token fits pkcs11:token=prd; there is "prod" \(serial "s0"\), "test"/,
    ],
    ["pkcs11:token=test", /^2 tokens fit pkcs11:token=test: .*; add serial= to name one$/],
    ["pkcs11:object=key?pin-value=1", /^3 tokens fit pkcs11:: "prod"/],
    ["pkcs11:slot-id=3", /^no token fits pkcs11:slot-id=3;/],
    ["pkcs11:token=prod;library-version=2.7", /^no token fits/],
    ["pkcs11:token=prod;acme-hall=3", /^which token fits acme-hall is not known/],
    ["pkcs11:token=prod;model=", /^no token fits/],
  ];
  for (const [uri, message] of REFUSED) {
    test(`refuses ${uri}`, () => {
      assert.throws(() => select(uri), { code: "HSM_TOKEN", message });
    });
  }

  test("passes over tokens that are not initialised, unless no other fits", () => {
    const initialised = slot(7, "a");
    const flags = TOKEN_FLAGS.TOKEN_INITIALIZED;
    const ready = { ...initialised, token: { ...initialised.token!, flags } };
    assert.equal(select("pkcs11:", [slot(0, ""), ready]), 7);
    assert.equal(select("pkcs11:slot-id=0", [slot(0, ""), ready]), 0);
  });

  test("says so where there is no token at all", () => {
    const message = "no token fits pkcs11:token=a: the module has no slot with a token in it";
    assert.throws(() => select("pkcs11:token=a", [slot(0, undefined)]), { message });
  });

  test("shows names of tokens escaped, and not all of a hundred", () => {
    const hostile = Array.from({ length: 100 }, (_, index) => slot(index, '\u001b[2J"\u202e'));
    assert.throws(() => select("pkcs11:token=a", hostile), (error: Error) => {
      assert.ok(error.message.includes("\\u{1b}[2J"));
      assert.ok(error.message.endsWith("and 90 more"));
      return true;
    });
  });
});

test("uriOfToken gives a URI that finds the token again", () => {
  const { token } = SLOTS[2]!;
  assert.equal(formatUri(uriOfToken(token!)), "pkcs11:token=test;serial=s2");
  assert.equal(select(formatUri(uriOfToken(token!))), 2);
});
