import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { OUTCOMES } from "../../src/hsm/batch.ts";
import {
  packHsmReplies,
  packHsmRequests,
  unpackHsmReplies,
  unpackHsmRequests,
} from "../../src/hsm/worker_messages.ts";
import { type Scheme, SCHEMES } from "../../src/crypto/scheme.ts";

const BYTES = fc.uint8Array({ maxLength: 600 });

test("requests of a worker arrive as they were sent, those without a deadline too", () => {
  const request = fc.record({
    id: fc.nat(),
    position: fc.nat({ max: 65_535 }),
    scheme: fc.constantFrom(...Object.keys(SCHEMES) as Scheme[]),
    connection: fc.nat(),
    leftMs: fc.oneof(fc.double({ noNaN: true }), fc.constant(Infinity)),
    bytes: BYTES,
  }, { noNullPrototype: true });
  fc.assert(fc.property(fc.array(request), (requests) => {
    assert.deepEqual(unpackHsmRequests(structuredClone(packHsmRequests(requests))), requests);
  }));
});

test("replies to a worker arrive as they were sent", () => {
  const reply = fc.record({
    id: fc.nat(),
    outcome: fc.constantFrom(...OUTCOMES),
    bytes: BYTES,
  }, { noNullPrototype: true });
  fc.assert(fc.property(fc.array(reply), (replies) => {
    assert.deepEqual(unpackHsmReplies(structuredClone(packHsmReplies(replies))), replies);
  }));
});
