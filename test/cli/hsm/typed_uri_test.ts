import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { readTypedUri, uriOfKey, uriToPaste } from "../../../cli/hsm/typed_uri.ts";
import { KeylessError } from "../../../src/errors/errors.ts";
import type { TokenInfo } from "../../../src/hsm/module.ts";
import { formatUri, parseUri } from "../../../src/hsm/uri.ts";

const token = (label: string) => ({ label, serial: "0123" }) as TokenInfo;
const KEY = { id: Uint8Array.of(1, 0xff), label: "www" };

describe("readTypedUri", () => {
  test("refuses a PIN, and says where it may stand instead", () => {
    assert.throws(() => readTypedUri("pkcs11:token=x?pin-value=s3cr3t"), (thrown) => {
      assert.ok(thrown instanceof KeylessError);
      assert.equal(thrown.code, "HSM_URI");
      assert.match(thrown.message, /--pin-file FILE.*KEYLESS_HSM_PIN.*pin-source/);
      assert.doesNotMatch(thrown.message, /s3cr3t/);
      return true;
    });
  });

  test("gives a URI or a typed error for any text", () => {
    fc.assert(fc.property(fc.string(), (text) => {
      try {
        readTypedUri(`pkcs11:${text}`);
      } catch (thrown) {
        assert.ok(thrown instanceof KeylessError && thrown.code === "HSM_URI");
      }
    }));
  });
});

describe("the URIs to paste", () => {
  test("name token and module", () => {
    assert.equal(
      formatUri(uriToPaste(token("my token"), "/lib/x.so")),
      "pkcs11:token=my%20token;serial=0123?module-path=/lib/x.so",
    );
  });

  test("keep how the typed one gets to the token, without its PIN", () => {
    const typed = parseUri("pkcs11:token=a?module-name=x&pin-source=env:PIN&max-sessions=4");
    assert.equal(
      formatUri(uriOfKey(typed, token("a"), "/lib/x.so", KEY)),
      "pkcs11:token=a;serial=0123;object=www;id=%01%FF?pin-source=env:PIN&module-name=x&max-sessions=4",
    );
    const secret = parseUri("pkcs11:token=a?pin-value=1234");
    assert.doesNotMatch(formatUri(uriOfKey(secret, token("a"), "/lib/x.so", KEY)), /1234|pin/);
  });

  test("are read as what they were made of, whatever the labels", () => {
    const label = fc.string({ unit: "binary", maxLength: 32 }).filter((text) =>
      !text.includes("\0")
    );
    fc.assert(
      fc.property(
        label,
        label,
        fc.uint8Array({ minLength: 1, maxLength: 16 }),
        (name, object, id) => {
          const uri = uriOfKey(parseUri("pkcs11:"), token(name), "/lib/x.so", {
            id,
            label: object,
          });
          const read = parseUri(formatUri(uri));
          assert.equal(read.token, name.toWellFormed());
          assert.equal(read.object ?? "", object.toWellFormed());
          assert.deepEqual(Array.from(read.id!), Array.from(id));
        },
      ),
    );
  });
});
