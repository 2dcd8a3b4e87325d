import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { isLoopback, parseHttpAddress } from "../../src/status/http_address.ts";

const tcp = (host: string, port: number, tls = true) => ({ kind: "tcp", host, port, tls });
const unix = (path: string) => ({ kind: "unix", path });

const ACCEPTED: readonly [text: string, address: object][] = [
  ["localhost:6060", tcp("localhost", 6060)],
  ["127.0.0.1:0", tcp("127.0.0.1", 0)],
  ["keys.example.com:65535", tcp("keys.example.com", 65_535)],
  ["[::1]:6060", tcp("::1", 6060)],
  [":6060", tcp("", 6060)],
  ["https://localhost:6060", tcp("localhost", 6060)],
  ["http://localhost:6060", tcp("localhost", 6060, false)],
  ["http://[::]:80", tcp("::", 80, false)],
  ["HTTP://localhost:6060", tcp("localhost", 6060, false)],
  ["unix:/run/keyless.sock", unix("/run/keyless.sock")],
  ["unix:here.sock", unix("here.sock")],
  ["/run/keyless.sock", unix("/run/keyless.sock")],
  [`/${"a".repeat(106)}`, unix(`/${"a".repeat(106)}`)],
];

const REFUSED: readonly [what: string, text: string][] = [
  ["nothing", ""],
  ["no port", "localhost"],
  ["an empty port", "localhost:"],
  ["a port beyond the last", "localhost:65536"],
  ["a port that is no number", "localhost:http"],
  ["a negative port", "localhost:-1"],
  ["an IPv6 address without brackets", "::1:6060"],
  ["an IPv4 address in brackets", "[127.0.0.1]:6060"],
  ["what is nearly an IPv4 address", "127.0.0:6060"],
  ["an IPv4 address with a number too large", "127.0.0.256:6060"],
  ["another scheme", "ftp://localhost:6060"],
  ["a path behind the port", "http://localhost:6060/"],
  ["a user in front", "http://me@localhost:6060"],
  ["a space", " localhost:6060"],
  ["a line feed", "localhost:6060\n"],
  ["a socket without a name", "unix:"],
  ["a control character in a path", "unix:/run/\u0007"],
  ["a path too long for a socket", `/${"a".repeat(107)}`],
  ["a path too long in bytes", `/${"ä".repeat(54)}`],
];

describe("parseHttpAddress", () => {
  for (const [text, address] of ACCEPTED) {
    test(`reads ${text.slice(0, 30)}`, () => assert.deepEqual(parseHttpAddress(text), address));
  }
  for (const [what, text] of REFUSED) {
    test(`refuses ${what}`, () => assert.equal(parseHttpAddress(text), undefined));
  }

  test("gives an address or nothing for any text", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
      const address = parseHttpAddress(text);
      if (address?.kind === "tcp") assert.ok(address.port >= 0 && address.port <= 65_535);
    }));
  });
});

describe("isLoopback", () => {
  for (const host of ["127.0.0.1", "127.255.255.254", "::1", "localhost", "LOCALHOST"]) {
    test(`${host} is`, () => assert.equal(isLoopback(host), true));
  }
  for (const host of ["", "0.0.0.0", "::", "128.0.0.1", "10.0.0.1", "::2", "localhost.evil.com"]) {
    test(`${host || "all addresses"} is not`, () => assert.equal(isLoopback(host), false));
  }
});
