import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toHex } from "../../src/bytes/hex.ts";
import { FormatError } from "../../src/errors/errors.ts";
import type { ErrorCode } from "../../src/errors/table.ts";
import { wireErrorText } from "../../src/protocol/errors.ts";
import { Framer } from "../../src/protocol/framer.ts";
import { OP_ERROR, opcodeName, opcodeType } from "../../src/protocol/opcodes.ts";
import { decodeOperation } from "../../src/protocol/operation.ts";
import { encodePacket, VERSION_MAJOR, VERSION_MINOR } from "../../src/protocol/packet.ts";
import { present } from "./operations.ts";
import { bodyVectors, bytes, operationOf, packetVectors } from "./vectors.ts";

/** The rows that we refuse, and why. */
const REFUSED: Readonly<Record<string, ErrorCode>> = {
  "opcode two bytes": "ITEM_LENGTH",
  "opcode zero bytes": "ITEM_LENGTH",
  "item past end": "SHORT",
  "truncated header 1": "TRAILING",
  "truncated header 2": "TRAILING",
  "valid then 1 stray byte": "TRAILING",
  "valid then 2 stray bytes": "TRAILING",
  "duplicate opcode": "ITEM_REPEATED",
  "duplicate payload": "ITEM_REPEATED",
  "duplicate padding": "ITEM_REPEATED",
  "client ip 5 bytes": "ITEM_LENGTH",
  "server ip 0 bytes": "ITEM_LENGTH",
  "compliance region 2 bytes": "ITEM_LENGTH",
};

/** Those of them that the reference accepts: it overlooks one or two bytes after the last item. */
const STRICTER: readonly string[] = [
  "truncated header 1",
  "truncated header 2",
  "valid then 1 stray byte",
  "valid then 2 stray bytes",
];

describe("packets as the reference writes them", () => {
  for (const vector of packetVectors()) {
    const operation = operationOf(vector.fields);

    test(`${vector.name} is encoded to the same bytes`, () => {
      assert.equal(toHex(encodePacket(vector.id, operation)), vector.hex);
    });

    test(`${vector.name} is decoded to the same fields`, () => {
      const framer = new Framer();
      framer.push(bytes(vector.hex));
      const packet = framer.next();
      assert.ok(packet !== undefined);
      assert.equal(framer.heldBytes, 0);
      assert.equal(packet.id, vector.id);
      assert.deepEqual([packet.major, packet.minor], [VERSION_MAJOR, VERSION_MINOR]);
      assert.deepEqual(present(decodeOperation(packet.body)), operation);
    });

    const { opcodeName: name, type, errorText } = vector.fields;
    const { opcode = -1, payload } = operation;
    if (name !== undefined) {
      test(`${vector.name} has the reference's name and type`, () => {
        assert.equal(opcodeName(opcode), name);
        assert.equal(opcodeType(opcode), type);
      });
    }
    if (errorText !== undefined) {
      test(`${vector.name} has the reference's error text`, () => {
        assert.equal(opcode, OP_ERROR);
        assert.equal(wireErrorText(payload?.[0] ?? -1), errorText);
      });
    }
  }
});

describe("bodies that the reference accepts or refuses", () => {
  for (const { name, bodyHex, accepted } of bodyVectors()) {
    const code = REFUSED[name];
    if (code === undefined) {
      test(`${name}: accepted`, () => {
        assert.ok(accepted, "the reference refuses it: name the error code in this test");
        decodeOperation(bytes(bodyHex));
      });
    } else {
      test(`${name}: refused with ${code}`, () => {
        assert.equal(accepted, STRICTER.includes(name));
        assert.throws(
          () => decodeOperation(bytes(bodyHex)),
          (error) => error instanceof FormatError && error.code === code,
        );
      });
    }
  }

  test("every row that we refuse is one of the vectors", () => {
    const names = bodyVectors().map((vector) => vector.name);
    assert.deepEqual(Object.keys(REFUSED).filter((name) => !names.includes(name)), []);
  });
});
