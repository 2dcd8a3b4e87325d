import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { isOwnHost, whyRefused } from "../../src/status/access.ts";
import type { HttpPeer } from "../../src/status/route.ts";

const NAMES = ["keys.example.com", "*.edge.example.com", "box-7"];
const address = "192.0.2.1:1";
const LOCAL = { address, isLocal: true, unproved: "this port has no TLS" };
const PROVED = { address, isLocal: false, unproved: undefined };
const STRANGER = { address, isLocal: false, unproved: "no certificate was shown" };

function refusal(
  headers: Readonly<Record<string, string>>,
  peer: HttpPeer = LOCAL,
): string | undefined {
  return whyRefused({ headers, peer, query: new URLSearchParams() }, NAMES);
}

describe("what only an operator may do is refused", () => {
  test("to web pages: whatever the Origin is", () => {
    for (const origin of ["http://localhost:6060", "https://evil.example", "null", ""]) {
      assert.match(refusal({ host: "localhost", origin }) ?? "", /has an Origin/);
      assert.match(refusal({ host: "localhost", origin }, PROVED) ?? "", /has an Origin/);
    }
  });

  test("to images and forms of other sites and ports, which browsers send without an Origin", () => {
    const host = "127.0.0.1:6060";
    for (const site of ["cross-site", "same-site", "none, cross-site", ""]) {
      assert.match(refusal({ host, "sec-fetch-site": site }) ?? "", /another site/, site);
    }
    for (const site of ["none", "same-origin"]) {
      assert.equal(refusal({ host, "sec-fetch-site": site }), undefined, site);
    }
  });

  test("to a page whose name was led here, with a certificate too", () => {
    assert.match(refusal({ host: "evil.example:6060" }) ?? "", /its Host is no IP address/);
    assert.match(refusal({ host: "evil.example:6060" }, PROVED) ?? "", /its Host is no IP/);
    assert.match(refusal({}) ?? "", /its Host is no IP address/);
  });

  test("beyond loopback to who has proved nothing, with the reason", () => {
    const why = refusal({ host: "keys.example.com" }, STRANGER) ?? "";
    assert.match(why, /cloudflare_ca_cert/);
    assert.match(why, /no certificate was shown$/);
  });

  test("not to a proved client, and not to anybody on loopback", () => {
    assert.equal(refusal({ host: "keys.example.com" }, PROVED), undefined);
    assert.equal(refusal({ host: "localhost" }, LOCAL), undefined);
  });
});

describe("isOwnHost", () => {
  const own = [
    ...["localhost", "LocalHost:6060", "localhost.", "127.0.0.1", "10.1.2.3:6060", "[::1]"],
    ...["[fe80::1]:6060", "keys.example.com", "KEYS.example.com:1", "a.edge.example.com", "box-7"],
  ];
  for (const host of own) test(`takes ${host}`, () => assert.equal(isOwnHost(host, NAMES), true));

  const foreign = [
    ...["", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "::1", "[::1"],
    ...["[evil]", "edge.example.com", ".edge.example.com", "a.b.edge.example.com", "localhost:"],
    ...["localhost:6060:6060", "keys.example.com@evil", "http://localhost", "localhost/x"],
    ...["*.edge.example.com", "1.2.3", "256.0.0.1", " localhost", "local\nhost"],
  ];
  for (const host of foreign) {
    test(`refuses ${JSON.stringify(host)}`, () => assert.equal(isOwnHost(host, NAMES), false));
  }

  test("takes no text but the names of the server, localhost and addresses", () => {
    fc.assert(fc.property(fc.domain(), (name) => {
      fc.pre(!NAMES.includes(name) && !name.endsWith(".edge.example.com"));
      assert.equal(isOwnHost(name, NAMES), false);
    }));
  });
});
