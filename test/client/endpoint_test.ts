import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { endpointText, parseEndpoint } from "../../src/client/endpoint.ts";
import { KeylessError } from "../../src/errors/errors.ts";

describe("parseEndpoint", () => {
  const accepted: readonly [text: string, canonical: string][] = [
    ["localhost", "localhost:2407"],
    ["localhost:1", "localhost:1"],
    ["keys.example.net:65535", "keys.example.net:65535"],
    ["under_score.example:24", "under_score.example:24"],
    ["127.0.0.1:2407", "127.0.0.1:2407"],
    ["[::1]", "[::1]:2407"],
    ["[2001:db8::1]:99", "[2001:db8::1]:99"],
    ["unix:/run/keyless.sock", "unix:/run/keyless.sock"],
    ["unix:relative.sock", "unix:relative.sock"],
    ["unix:/with:colon", "unix:/with:colon"],
  ];
  for (const [text, canonical] of accepted) {
    test(`reads ${text}`, () => assert.equal(endpointText(parseEndpoint(text)), canonical));
  }

  test("takes another default port where it is given one", () => {
    assert.equal(endpointText(parseEndpoint("h", 7)), "h:7");
    assert.equal(endpointText(parseEndpoint("[::1]", 7)), "[::1]:7");
  });

  const refused: readonly [text: string, says: RegExp][] = [
    ["", /write host, host:port/],
    [":2407", /write host, host:port/],
    ["host:", /the port is a number from 1 to 65535/],
    ["host:0", /the port is a number/],
    ["host:65536", /the port is a number/],
    ["host:2407x", /the port is a number/],
    ["host:-1", /the port is a number/],
    ["::1", /write an IPv6 address in brackets/],
    ["2001:db8::1", /write an IPv6 address in brackets/],
    ["[::1", /write/],
    ["[::1]2407", /write/],
    ["[host]:2407", /"host" in the brackets is no IPv6 address/],
    ["[127.0.0.1]", /no IPv6 address/],
    ["https://host", /names no server: leave out the scheme and the path: host$/],
    ["https://localhost:2407/", /leave out the scheme and the path: localhost:2407$/],
    ["KEYLESS://[::1]:99/x?y#z", /leave out the scheme and the path: \[::1\]:99$/],
    ["http://user:secret@host:1/", /leave out the scheme and the path: host:1$/],
    ["http://", /names no server: the port is a number/],
    ["host/path", /write host, host:port/],
    ["a b", /write host, host:port/],
    ["-c", /write host, host:port/],
    ["unix:", /write unix:\/path/],
    ["\u001b[31m", /^"\\u\{1b\}\[31m" names no server/],
  ];
  test("takes a socket's path of 107 bytes, and says what is too much of a longer one", () => {
    const path = `/${"é".repeat(53)}`;
    assert.deepEqual(parseEndpoint(`unix:${path}`), { kind: "unix", path });
    assert.throws(() => parseEndpoint(`unix:${path}x`), {
      code: "USAGE",
      message: `the path "${path}x" has 108 bytes; that of a UNIX socket has at most 107`,
    });
  });

  for (const [text, says] of refused) {
    test(`refuses ${JSON.stringify(text)} and says why`, () => {
      assert.throws(() => parseEndpoint(text), (error) => {
        assert.ok(error instanceof KeylessError);
        assert.equal(error.code, "USAGE");
        assert.match(error.message, says);
        return true;
      });
    });
  }

  test("any text is an endpoint that reads the same again, or a usage error", () => {
    const text = fc.oneof(fc.string({ unit: "binary" }), fc.stringMatching(/^[a-z:.[\]0-9]*$/));
    fc.assert(fc.property(text, (text) => {
      try {
        const endpoint = parseEndpoint(text);
        assert.deepEqual(parseEndpoint(endpointText(endpoint)), endpoint);
      } catch (error) {
        assert.ok(error instanceof KeylessError, `${error}`);
        assert.equal(error.code, "USAGE");
      }
    }));
  });
});
