import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { collectorUrl } from "../../src/config/collector.ts";

describe("the address of a collector", () => {
  const accepted: readonly [string, string][] = [
    ["localhost", "http://localhost:4318/v1/traces"],
    ["collector.example.net:14318", "http://collector.example.net:14318/v1/traces"],
    ["otel_collector:4318", "http://otel_collector:4318/v1/traces"],
    ["192.0.2.1:4318", "http://192.0.2.1:4318/v1/traces"],
    ["[2001:db8::1]:4318", "http://[2001:db8::1]:4318/v1/traces"],
    ["[::1]", "http://[::1]:4318/v1/traces"],
    ["localhost:80", "http://localhost/v1/traces"],
    ["http://localhost:4318", "http://localhost:4318/v1/traces"],
    ["https://traces.example.net", "https://traces.example.net/v1/traces"],
    ["https://traces.example.net/", "https://traces.example.net/v1/traces"],
    ["HTTPS://traces.example.net/otlp/", "https://traces.example.net/otlp/"],
    ["https://traces.example.net/a?b=c#d", "https://traces.example.net/a?b=c"],
  ];
  for (const [address, url] of accepted) {
    test(`${address} is ${url}`, () => assert.equal(collectorUrl(address), url));
  }

  const refused = [
    ...[
      "",
      " ",
      "localhost:",
      "localhost:65536",
      "localhost:0",
      "localhost:4318/v1/traces",
      ":4318",
    ],
    ...["::1", "[::1", "[zz]:1", "a b", "ftp://localhost", "grpc://localhost:4317", "http://"],
    ...["http://user@localhost", "http://user:password@localhost", "http://localhost:99999"],
    ...["-flag", "local\nhost", "localhost:4318\n", "http://local\nhost", "http://localhost/a b"],
  ];
  for (const address of refused) {
    test(`${JSON.stringify(address)} is none`, () =>
      assert.equal(collectorUrl(address), undefined));
  }

  test("of any text is a URL with http or https, or none", () => {
    const prefix = fc.constantFrom("", "http://", "https://", "localhost:");
    fc.assert(fc.property(prefix, fc.string({ unit: "binary-ascii" }), (start, rest) => {
      const url = collectorUrl(start + rest);
      assert.ok(url === undefined || /^https?:\/\/[^/@]+\//.test(url), url);
    }));
  });
});
