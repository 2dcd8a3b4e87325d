import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { inspect } from "node:util";
import fc from "fast-check";
import { KeylessError } from "../../src/errors/errors.ts";
import { formatUri, parseUri, type Pkcs11Uri } from "../../src/hsm/uri.ts";
import { MAX_SESSIONS, OBJECT_TYPES } from "../../src/hsm/uri_attributes.ts";

const hex = (digits: string) => new Uint8Array(Buffer.from(digits, "hex"));
const utf8 = (text: string) => new TextEncoder().encode(text);

/** RFC 7512 section 3, and cases of its sections 2.3 and 2.4. */
const ACCEPTED: readonly (readonly [uri: string, attributes: Partial<Pkcs11Uri>])[] = [
  ["pkcs11:", {}],
  ["PKCS11:token=a", { token: "a" }],
  ["pkcs11:object=my-pubkey;type=public", { object: "my-pubkey", type: "public" }],
  [
    "pkcs11:object=my-key;type=private?pin-source=file:/etc/token",
    { object: "my-key", type: "private", "pin-source": { from: "file", path: "/etc/token" } },
  ],
  [
    "pkcs11:token=The%20Software%20PKCS%2311%20Softtoken;manufacturer=Snake%20Oil,%20Inc.;" +
    "model=1.0;object=my-certificate;type=cert;id=%69%95%3E%5C%F4%BD%EC%91;serial=" +
    "?pin-source=file:/etc/token_pin",
    {
      token: "The Software PKCS#11 Softtoken",
      manufacturer: "Snake Oil, Inc.",
      model: "1.0",
      object: "my-certificate",
      type: "cert",
      id: hex("69953e5cf4bdec91"),
      serial: "",
      "pin-source": { from: "file", path: "/etc/token_pin" },
    },
  ],
  [
    "pkcs11:object=my-sign-key;type=private?module-name=mypkcs11",
    { object: "my-sign-key", type: "private", "module-name": "mypkcs11" },
  ],
  [
    "pkcs11:object=my-sign-key;type=private?module-path=/mnt/libmypkcs11.so.1",
    { object: "my-sign-key", type: "private", "module-path": "/mnt/libmypkcs11.so.1" },
  ],
  [
    "pkcs11:token=Software%20PKCS%2311%20softtoken;manufacturer=Snake%20Oil,%20Inc.",
    { token: "Software PKCS#11 softtoken", manufacturer: "Snake Oil, Inc." },
  ],
  ["pkcs11:slot-description=Sun%20Metaslot", { "slot-description": "Sun Metaslot" }],
  [
    "pkcs11:library-manufacturer=Snake%20Oil,%20Inc.;library-description=Soft%20Token%20Library;" +
    "library-version=1.23",
    {
      "library-manufacturer": "Snake Oil, Inc.",
      "library-description": "Soft Token Library",
      "library-version": { major: 1, minor: 23 },
    },
  ],
  [
    "pkcs11:token=My%20token%25%20created%20by%20Joe;library-version=3;id=%01%02%03%Ba%dd%Ca%fe%04%05%06",
    {
      token: "My token% created by Joe",
      "library-version": { major: 3, minor: 0 },
      id: hex("010203baddcafe040506"),
    },
  ],
  [
    "pkcs11:token=A%20name%20with%20a%20substring%20%25%3B;object=my-certificate;type=cert",
    { token: "A name with a substring %;", object: "my-certificate", type: "cert" },
  ],
  [
    "pkcs11:token=Name%20with%20a%20small%20A%20with%20acute:%20%C3%A1",
    { token: "Name with a small A with acute: á" },
  ],
  [
    "pkcs11:token=my-token;vendor-aaa=value-a?pin-source=file:/etc/token_pin&vendor-bbb=value-b",
    {
      token: "my-token",
      "pin-source": { from: "file", path: "/etc/token_pin" },
      vendor: [
        { part: "path", name: "vendor-aaa", value: utf8("value-a") },
        { part: "query", name: "vendor-bbb", value: utf8("value-b") },
      ],
    },
  ],
  [
    "pkcs11:?vendor-x=1&vendor-x=2",
    {
      vendor: [
        { part: "query", name: "vendor-x", value: utf8("1") },
        { part: "query", name: "vendor-x", value: utf8("2") },
      ],
    },
  ],
  ["pkcs11:slot-id=327;slot-manufacturer=x&y", { "slot-id": 327, "slot-manufacturer": "x&y" }],
  ["pkcs11:id=", { id: new Uint8Array(0) }],
  ["pkcs11:?pin-source=/run/pin", { "pin-source": { from: "file", path: "/run/pin" } }],
  ["pkcs11:?pin-source=file:///run/pin", { "pin-source": { from: "file", path: "/run/pin" } }],
  ["pkcs11:?pin-source=env:HSM_PIN", { "pin-source": { from: "env", name: "HSM_PIN" } }],
  [
    "pkcs11:?max-sessions=16&min-sessions=2&wait=1m30s",
    { "max-sessions": 16, "min-sessions": 2, wait: 90_000 },
  ],
  [`pkcs11:?max-sessions=${MAX_SESSIONS}`, { "max-sessions": MAX_SESSIONS }],
  ["pkcs11:?module-path=/a/b?c|d", { "module-path": "/a/b?c|d" }],
];

/** What is refused, and what the message must say: the attribute and the mend. */
const REFUSED: readonly (readonly [uri: string, message: RegExp])[] = [
  ["", /begin with pkcs11:/],
  ["pkcs12:token=a", /begin with pkcs11:/],
  ["pkcs11:token", /no =/],
  ["pkcs11:token=a;", /no =/],
  ["pkcs11:=a", /no name/],
  ["pkcs11:tok en=a", /no name/],
  ["pkcs11:token=a;token=b", /token stands twice/],
  ["pkcs11:vendor-a=1;vendor-a=2", /vendor-a stands twice/],
  ["pkcs11:token=a?max-sessions=1&max-sessions=1", /max-sessions stands twice/],
  ["pkcs11:token=my token", /token .*%20/],
  ["pkcs11:object=a/b", /object .*%2F/],
  ["pkcs11:token=á", /token .*percent-encoded/],
  ["pkcs11:token=%zz", /token .*%25/],
  ["pkcs11:token=abc%2", /token .*%25/],
  ["pkcs11:token=%ff", /token is not UTF-8/],
  ["pkcs11:object=a%00b", /object holds a zero byte/],
  ["pkcs11:tokn=a", /misspelt; write token/],
  ["pkcs11:Token=a", /misspelt; write token/],
  ["pkcs11:?max_sessions=4", /misspelt; write max-sessions/],
  ["pkcs11:type=key", /type is none of public, private/],
  ["pkcs11:slot-id=0x1", /slot-id is no whole number/],
  ["pkcs11:slot-id=-1", /slot-id is no whole number/],
  ["pkcs11:library-version=1.256", /library-version is no version/],
  ["pkcs11:library-version=1.", /library-version is no version/],
  ["pkcs11:?max-sessions=0", /max-sessions is no whole number from 1/],
  [`pkcs11:?max-sessions=${MAX_SESSIONS + 1}`, /max-sessions is no whole number/],
  ["pkcs11:?max-sessions=2&min-sessions=3", /min-sessions \(3\) is above max-sessions \(2\)/],
  ["pkcs11:?wait=soon", /wait duration "soon"/],
  ["pkcs11:?wait=0", /wait is no time at all; .* like 10s/],
  ["pkcs11:?wait=9d", /wait duration "9d" is too long; the longest is 7d/],
  ["pkcs11:?pin=1234", /may hold a PIN, and is not known; write pin-source/],
  ["pkcs11:?user-pin=1234", /may hold a PIN, and is not known; write pin-source/],
  ["pkcs11:token=a;passphrase=1234", /of its path may hold a PIN, .* behind the \?/],
  ["pkcs11:?pin-value=12&longer=4", /beside pin-value is not known, .*; write & in it as %26/],
  ["pkcs11:module-name=softhsm2", /module-name stands in its path; write it after a \?/],
  ["pkcs11:?token=a", /token stands in its query; write it before the \?/],
  ["pkcs11:?module-path=lib.so", /module-path is no absolute path/],
  ["pkcs11:?module-name=/usr/lib/x.so", /module-name .*module-path/],
  ["pkcs11:?pin-source=|/usr/lib/pinomatic", /pin-source is a command, which is never run/],
  ["pkcs11:?pin-source=https://a/b", /pin-source is neither .*file:.*env:/],
  ["pkcs11:?pin-source=file://host/pin", /pin-source is neither/],
  ["pkcs11:?pin-source=env:", /pin-source is neither/],
  ["pkcs11:?pin-source=/a&pin-value=1", /pin-value and pin-source exclude each other/],
  [`pkcs11:${"a".repeat(9_000)}`, /longer than 8192 characters/],
];

describe("parseUri", () => {
  for (const [text, attributes] of ACCEPTED) {
    test(`reads ${text}`, () => {
      assert.deepEqual(parseUri(text), { vendor: [], ...attributes });
    });
  }

  for (const [text, message] of REFUSED) {
    test(`refuses ${text.slice(0, 60)}`, () => {
      assert.throws(() => parseUri(text), { code: "HSM_URI", message });
    });
  }

  test("takes a PIN of any bytes, and nothing that prints shows it", () => {
    const uri = parseUri("pkcs11:token=a?pin-value=the%26pin");
    assert.deepEqual(uri["pin-value"]?.copy(), utf8("the&pin"));
    for (const shown of [inspect(uri, { showHidden: true }), JSON.stringify(uri), formatUri(uri)]) {
      assert.doesNotMatch(shown, /the.?pin|116, ?104/);
    }
  });

  const LEAKS = [
    "pkcs11:?pin-value=s3cr3t#x",
    "pkcs11:?pin-value=s3cr3t%",
    "pkcs11:?pin-value=s3cr3t&pin-value=s3cr3t",
    "pkcs11:?pin-value=12&s3cr3t",
    "pkcs11:?pin-value=12&s3cr3t$=4",
    "pkcs11:?pin-value=12&s3cr3t=%",
    "pkcs11:?pin-value:s3cr3t",
    "pkcs11:?pin-valeu=s3cr3t",
    "pkcs11:?pin-source=s3cr3t",
    "pkcs11:pin-value=s3cr3t",
    "pkcs11:?pin=s3cr3t",
    "pkcs11:token=a;pin=s3cr3t",
    "pkcs11:?pin-value=12&s3cr3t-and-more=4",
    "s3cr3t",
  ];
  for (const text of LEAKS) {
    test(`shows no PIN when it refuses ${text.replace("s3cr3t", "…")}`, () => {
      assert.throws(() => parseUri(text), (error) => {
        assert.ok(error instanceof KeylessError);
        assert.doesNotMatch(inspect(error), /s3cr3t.*\n|s3cr3t(?=\W*$)/);
        assert.ok(!error.message.includes("s3cr3t"));
        return true;
      });
    });
  }

  test("gives a value or HSM_URI for any text", () => {
    const piece = fc.constantFrom(
      "pkcs11:",
      "token=",
      ";",
      "?",
      "&",
      "%41",
      "pin-value=",
      "id=",
      "|",
    );
    const text = fc.array(fc.oneof(piece, fc.string({ unit: "binary" }))).map((all) =>
      all.join("")
    );
    fc.assert(fc.property(fc.oneof(text, text.map((tail) => `pkcs11:${tail}`)), (text) => {
      try {
        parseUri(text);
      } catch (error) {
        assert.ok(error instanceof KeylessError);
        assert.equal(error.code, "HSM_URI");
      }
    }));
  });
});

describe("formatUri", () => {
  test("writes what parseUri reads as the same", () => {
    fc.assert(fc.property(uris(), (uri) => {
      assert.deepEqual(parseUri(formatUri(uri)), uri);
    }));
  });

  test("leaves out what means nothing to this program: it may be a part of a PIN", () => {
    const uri = parseUri("pkcs11:token=a;vendor-x=1?s3cr3t=2&max-sessions=2");
    assert.equal(formatUri(uri), "pkcs11:token=a?max-sessions=2");
  });

  test("writes ids in hexadecimal, and leaves what need not be encoded", () => {
    const text =
      "pkcs11:token=My%20Token;object=a,b;type=private;id=%61%0A?module-path=/usr/lib/x.so";
    assert.equal(formatUri(parseUri(text)), text);
  });
});

function uris(): fc.Arbitrary<Pkcs11Uri> {
  const text = (maxBytes: number) =>
    fc.string({ unit: "grapheme" }).filter((text) =>
      utf8(text).length <= maxBytes && !text.includes("\0") && text.isWellFormed()
    );
  const bytes = fc.uint8Array({ maxLength: 40 });
  const path = text(100).map((tail) => `/x${tail}`);
  const byte = fc.integer({ min: 0, max: 255 });
  const known = fc.record({
    "token": text(32),
    "manufacturer": text(32),
    "model": text(16),
    "serial": text(16),
    "library-manufacturer": text(32),
    "library-description": text(32),
    "library-version": fc.tuple(byte, byte).map(([major, minor]) => ({ major, minor })),
    "slot-manufacturer": text(32),
    "slot-description": text(64),
    "slot-id": fc.maxSafeNat(),
    "object": text(500),
    "type": fc.constantFrom(...OBJECT_TYPES),
    "id": bytes,
    "pin-source": fc.oneof(
      path.map((path) => ({ from: "file" as const, path })),
      fc.constantFrom("PIN", "_a1").map((name) => ({ from: "env" as const, name })),
    ),
    "module-name": fc.constantFrom("softhsm2", "my module"),
    "module-path": path,
    "max-sessions": fc.integer({ min: 8, max: MAX_SESSIONS }),
    "min-sessions": fc.integer({ min: 1, max: 8 }),
    "wait": fc.integer({ min: 1, max: 100_000 }),
  }, { requiredKeys: [], noNullPrototype: true });
  return known.map((known) => ({ ...known, vendor: [] }));
}
