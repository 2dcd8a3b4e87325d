import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { findKeys } from "../../src/hsm/key_listing.ts";
import type { FoundKey } from "../../src/hsm/module_calls.ts";
import type { ModuleChannel } from "../../src/hsm/module_channel.ts";
import { logIn, openModule } from "../support/hsm_process.ts";
import { keyOf, openssl, publicKeyOf } from "../support/openssl.ts";
import { makeSoftHsm, type SoftHsm, softHsmPath } from "../support/softhsm.ts";

let hsm: SoftHsm;
let channel: ModuleChannel;
let keys: ReadonlyMap<string, FoundKey>;

before(async () => {
  hsm = makeSoftHsm();
  hsm.addToken("prod");
  const add = (label: string, id: string, key: Uint8Array) => {
    hsm.importKey("prod", key, { label, id });
    hsm.tool("prod", "--delete-object", "--type", "pubkey", "--id", id);
  };
  add("lonely EC", "01", keyOf("P-256"));
  add("lonely RSA", "02", keyOf("RSA 2048"));
  add("EC with certificate", "03", keyOf("P-384"));
  const certificate = hsm.dir.write("cert.der", certificateOf(keyOf("P-384")));
  hsm.tool("prod", "--write-object", certificate, "--type", "cert", "--id", "03", "--label", "c");
  const made = ["--key-type", "rsa:2048", "--id", "04", "--label", "made there"];
  const usages = ["--usage-sign", "--usage-decrypt", "--extractable"];
  hsm.tool("prod", "--keypairgen", ...made, ...usages);
  hsm.importKey("prod", keyOf("P-521"), { label: "\u001b[2J<b>", id: "05" });
  channel = openModule(softHsmPath(), { env: hsm.env });
  await channel.opened;
  const slotId = await logIn(channel, "prod");
  const found = await findKeys(channel, slotId, {});
  keys = new Map(found.map((key) => [key.label, key]));
});

after(async () => {
  const ended = new Promise((resolve) => channel.once("exit", resolve));
  channel.end();
  await ended;
  hsm.remove();
});

describe("the public half of a token's key", () => {
  test("is that of its certificate where there is no public key", () => {
    const { spki, spkiFrom, hasCertificate } = keys.get("EC with certificate")!;
    assert.equal(spkiFrom, "certificate");
    assert.equal(hasCertificate, true);
    assert.deepEqual(Array.from(spki!), Array.from(publicKeyOf(keyOf("P-384"))));
  });

  test("is that of the private key where that tells it", () => {
    const { spki, spkiFrom } = keys.get("lonely RSA")!;
    assert.equal(spkiFrom, "private key");
    assert.deepEqual(Array.from(spki!), Array.from(publicKeyOf(keyOf("RSA 2048"))));
  });

  test("is not known where nothing tells it", () => {
    const { spki, spkiFrom } = keys.get("lonely EC")!;
    assert.deepEqual([spki, spkiFrom], [undefined, undefined]);
  });
});

test("what a key may do is told by the token, and whether it may leave it", () => {
  const { canSign, canDecrypt, isExtractable, allowedMechanisms } = keys.get("made there")!;
  assert.deepEqual([canSign, canDecrypt, isExtractable], [true, true, true]);
  assert.equal(allowedMechanisms, undefined);
  assert.equal(keys.get("lonely RSA")!.isExtractable, false);
  assert.equal(keys.get("lonely RSA")!.isAlwaysAuthenticated, false);
});

test("labels come as they are: whoever shows them makes them printable", () => {
  assert.ok(keys.has("\u001b[2J<b>"));
});

function certificateOf(key: Uint8Array): Uint8Array {
  const file = hsm.dir.write("certificate.key", key);
  return openssl(["req", "-x509", "-key", file, "-subj", "/CN=hsm", "-outform", "DER"]);
}
