import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Scheme, SCHEMES } from "../../src/crypto/scheme.ts";
import {
  decodeReplies,
  decodeRequests,
  encodeReplies,
  encodeRequests,
  OUTCOMES,
} from "../../src/threads/batch.ts";

const BYTES = fc.uint8Array({ maxLength: 600 });

test("a batch of requests arrives as it was sent", () => {
  const request = fc.record({
    address: fc.nat({ max: 2 ** 47 }),
    bits: fc.nat({ max: 16_384 }),
    scheme: fc.constantFrom(...Object.keys(SCHEMES) as Scheme[]),
    bytes: BYTES,
  }, { noNullPrototype: true });
  fc.assert(fc.property(fc.array(request), (requests) => {
    assert.deepEqual(decodeRequests(structuredClone(encodeRequests(requests))), requests);
  }));
});

test("a batch of replies arrives as it was sent", () => {
  const reply = fc.record(
    { outcome: fc.constantFrom(...OUTCOMES), bytes: BYTES },
    { noNullPrototype: true },
  );
  fc.assert(fc.property(fc.array(reply), (replies) => {
    assert.deepEqual(decodeReplies(structuredClone(encodeReplies(replies))), replies);
  }));
});

test("a batch holds the bytes of its requests alone, though they lie in a large buffer", () => {
  const bytes = new Uint8Array(65_536).subarray(100, 132);
  const batch = encodeRequests([{ address: 1, bits: 2_048, scheme: "rsa-sha256", bytes }]);
  assert.equal(batch.bytes.buffer.byteLength, 32);
});
