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
} from "../../src/hsm/batch.ts";

const BYTES = fc.uint8Array({ maxLength: 600 });

test("a batch of requests arrives as it was sent", () => {
  const request = fc.record({
    key: fc.nat({ max: 65_535 }),
    bits: fc.nat({ max: 16_384 }),
    scheme: fc.constantFrom(...Object.keys(SCHEMES) as Scheme[]),
    bytes: BYTES,
  }, { noNullPrototype: true });
  fc.assert(fc.property(fc.array(request), fc.nat(), (requests, firstId) => {
    const sent = requests.map((request, index) => ({ id: firstId + index, ...request }));
    assert.deepEqual(decodeRequests(structuredClone(encodeRequests(requests, firstId))), sent);
  }));
});

test("a batch of replies arrives as it was sent", () => {
  const reply = fc.record(
    { id: fc.nat(), outcome: fc.constantFrom(...OUTCOMES), bytes: BYTES },
    { noNullPrototype: true },
  );
  fc.assert(fc.property(fc.array(reply), (replies) => {
    assert.deepEqual(decodeReplies(structuredClone(encodeReplies(replies))), replies);
  }));
});

test("a batch holds the bytes of its requests alone, though they lie in a large buffer", () => {
  const bytes = new Uint8Array(65_536).subarray(100, 132);
  const batch = encodeRequests([{ key: 1, bits: 2_048, scheme: "rsa-sha256", bytes }], 0);
  assert.equal(batch.bytes.buffer.byteLength, 32);
});
