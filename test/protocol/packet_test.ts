import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, test } from "node:test";
import fc from "fast-check";
import { toHex } from "../../src/bytes/hex.ts";
import { FormatError } from "../../src/errors/errors.ts";
import { Framer } from "../../src/protocol/framer.ts";
import { decodeOperation, ITEM_HEADER_BYTES } from "../../src/protocol/operation.ts";
import {
  draftPacket,
  encodePacket,
  encodePackets,
  MAX_BODY_BYTES,
  PACKET_HEADER_BYTES,
  PADDED_PACKET_BYTES,
} from "../../src/protocol/packet.ts";
import { anyId, anyOperation, present } from "./operations.ts";

describe("encodePacket", () => {
  test("is undone by the framer and decodeOperation", () => {
    fc.assert(fc.property(anyId(), anyOperation(600), (id, operation) => {
      const packet = decodeOne(encodePacket(id, operation));
      assert.equal(packet.id, id);
      assert.deepEqual(present(decodeOperation(packet.body)), present(operation));
    }));
  });

  test("never writes a packet of less than 1,024 bytes", () => {
    fc.assert(fc.property(anyOperation(200), (operation) => {
      assert.ok(encodePacket(1, operation).length >= PADDED_PACKET_BYTES);
    }));
  });

  test("pads with zeros", () => {
    const packet = encodePacket(1, { opcode: 0xf1 });
    assert.match(toHex(packet), /^010003f800000001110001f12003f1(00)+$/);
  });

  test("gives a fresh buffer each time", () => {
    const first = encodePacket(1, { opcode: 0xf1 });
    encodePacket(2, { opcode: 0xf1 }).fill(0xff);
    assert.deepEqual(first, encodePacket(1, { opcode: 0xf1 }));
  });

  for (const id of [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]) {
    test(`carries the id ${id}`, () => {
      assert.equal(decodeOne(encodePacket(id, { opcode: 0xf1 })).id, id);
    });
  }

  for (const id of [-1, 0x1_0000_0000, 1.5, NaN]) {
    test(`refuses the id ${id}`, () => {
      assert.throws(() => encodePacket(id, { opcode: 0xf1 }), isTooLong);
    });
  }

  const longest = MAX_BODY_BYTES - ITEM_HEADER_BYTES;

  test("writes a body of 65,535 bytes", () => {
    const packet = encodePacket(1, { payload: new Uint8Array(longest).fill(7) });
    assert.equal(packet.length, PACKET_HEADER_BYTES + MAX_BODY_BYTES);
    assert.equal(decodeOne(packet).body.length, MAX_BODY_BYTES);
  });

  test("refuses a body of 65,536 bytes, naming both lengths", () => {
    assert.throws(
      () => encodePacket(1, { payload: new Uint8Array(longest + 1) }),
      (error) => isTooLong(error) && /65536.*65535/.test(String(error)),
    );
  });

  test("refuses items that fit one by one but not together", () => {
    const half = new Uint8Array(0x8000);
    assert.throws(() => encodePacket(1, { payload: half, extra: half }), isTooLong);
  });
});

describe("encodePackets", () => {
  test("gives packets one behind the other, as encodePacket gives each", () => {
    const lengths = fc.array(fc.nat({ max: 3_000 }), { maxLength: 5 });
    fc.assert(fc.property(lengths, (lengths) => {
      const operations = lengths.map((length) => {
        return { opcode: 0xf1, payload: new Uint8Array(length).fill(length) };
      });
      const together = encodePackets(operations.map((each, id) => draftPacket(id, each)));
      const apart = operations.map((each, id) => encodePacket(id, each));
      assert.deepEqual(Buffer.from(together), Buffer.concat(apart));
    }));
  });
});

function decodeOne(bytes: Uint8Array): { readonly id: number; readonly body: Uint8Array } {
  const framer = new Framer();
  framer.push(bytes);
  const packet = framer.next();
  assert.ok(packet !== undefined);
  assert.equal(framer.next(), undefined);
  assert.equal(framer.heldBytes, 0);
  return packet;
}

function isTooLong(error: unknown): boolean {
  return error instanceof FormatError && error.code === "TOO_LONG";
}
