import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { toHex } from "../../src/bytes/hex.ts";
import { ByteWriter } from "../../src/bytes/writer.ts";
import { FormatError } from "../../src/errors/errors.ts";
import type { ErrorCode } from "../../src/errors/table.ts";
import {
  decodeOperation,
  encodeItems,
  itemsLength,
  type Operation,
  withOwnBytes,
} from "../../src/protocol/operation.ts";
import { ITEMS, PADDING_TAG } from "../../src/protocol/tags.ts";
import { anyOperation, present } from "./operations.ts";
import { bytes } from "./vectors.ts";

describe("decodeOperation", () => {
  const accepted: readonly [what: string, hex: string, operation: Operation][] = [
    ["nothing from an empty body", "", {}],
    ["an empty payload", "120000", { payload: new Uint8Array(0) }],
    ["an empty name", "020000", { serverName: "" }],
    ["items in any order", "12000107110001f1", { opcode: 0xf1, payload: bytes("07") }],
    ["padding in front of other items", "20000100110001f1", { opcode: 0xf1 }],
    ["padding that is not zero", "110001f1200002ffff", { opcode: 0xf1 }],
    ["an address of 4 bytes", "030004c0000201", { clientIp: bytes("c0000201") }],
    ["a byte order mark as part of a name", "020004efbbbf61", { serverName: "\ufeffa" }],
    ["replacement characters for what is no UTF-8", "020002fffe", { serverName: "\ufffd\ufffd" }],
  ];
  for (const [what, hex, operation] of accepted) {
    test(`reads ${what}`, () => {
      const decoded = Object.entries(decodeOperation(bytes(hex)));
      assert.deepEqual(
        Object.fromEntries(decoded.filter(([, value]) => value !== undefined)),
        operation,
      );
    });
  }

  const refused: readonly [what: string, hex: string, code: ErrorCode, message: RegExp][] = [
    ["a value cut short", "1200020a", "SHORT", /2 bytes wanted at offset 3, 1 left/],
    ["an item header cut short", "110001f11200", "TRAILING", /2 bytes stand after the last item/],
    ["an empty item that stands twice", "120000120000", "ITEM_REPEATED", /payload stands twice/],
    ["padding that stands twice", "200000200000", "ITEM_REPEATED", /padding stands twice/],
    ["an opcode of two bytes", "1100020102", "ITEM_LENGTH", /opcode has 2 bytes; it takes 1/],
    ["an address of 6 bytes", "030006010203040506", "ITEM_LENGTH", /client IP .* 4 or 16/],
    ["an address of no bytes", "050000", "ITEM_LENGTH", /server IP has 0 bytes/],
  ];
  for (const [what, hex, code, message] of refused) {
    test(`rejects ${what}`, () => {
      assert.throws(() => decodeOperation(bytes(hex)), isFormatError(code, message));
    });
  }

  for (const item of ITEMS) {
    test(`rejects two items of the kind ${item.name}`, () => {
      const lengthBytes = "lengths" in item ? item.lengths[0] : 2;
      const once = [item.tag, 0, lengthBytes, ...Array<number>(lengthBytes).fill(0x41)];
      decodeOperation(Uint8Array.from(once));
      assert.throws(
        () => decodeOperation(Uint8Array.from([...once, ...once])),
        isFormatError("ITEM_REPEATED", new RegExp(item.name)),
      );
    });
  }

  test("passes every tag that it does not know over, however often it stands", () => {
    const known: readonly number[] = [...ITEMS.map((item) => item.tag), PADDING_TAG];
    for (let tag = 0; tag <= 0xff; tag++) {
      if (known.includes(tag)) continue;
      const unknown = `${toHex(Uint8Array.of(tag))}0003aabbcc`;
      const decoded = decodeOperation(bytes(`${unknown}110001f1${unknown}`));
      assert.deepEqual(present(decoded), { opcode: 0xf1 });
    }
  });

  test("gives an operation or a FormatError for any bytes", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 256 }), givesOperationOrFormatError));
  });

  test("gives an operation or a FormatError for any run of items, cut anywhere", () => {
    const tags: readonly number[] = [...ITEMS.map((item) => item.tag), PADDING_TAG, 0x19];
    const item = fc.tuple(
      fc.constantFrom(...tags),
      fc.uint8Array({ maxLength: 20 }),
      fc.oneof({ weight: 8, arbitrary: fc.constant(0) }, fc.integer({ min: -2, max: 2 })),
    );
    fc.assert(fc.property(fc.array(item, { maxLength: 8 }), fc.nat(200), (items, cutAt) => {
      const body = items.flatMap(([tag, value, lie]) => {
        const announced = Math.max(0, value.length + lie);
        return [tag, announced >> 8, announced & 0xff, ...value];
      });
      givesOperationOrFormatError(Uint8Array.from(body));
      givesOperationOrFormatError(Uint8Array.from(body.slice(0, cutAt)));
    }));
  });
});

describe("encodeItems", () => {
  test("is undone by decodeOperation", () => {
    fc.assert(fc.property(anyOperation(), (operation) => {
      assert.deepEqual(present(decodeOperation(itemsOf(operation))), present(operation));
    }));
  });

  test("writes the items in the protocol's order, whatever order the fields have", () => {
    const operation = { region: 1, serverName: "a", payload: bytes("0708"), opcode: 0xf1 };
    assert.equal(toHex(itemsOf(operation)), "110001f1" + "1200020708" + "02000161" + "17000101");
  });

  test("leaves empty payloads and names out", () => {
    assert.equal(itemsLength({ payload: new Uint8Array(0), serverName: "" }), 0);
    assert.equal(toHex(itemsOf({ opcode: 0, payload: new Uint8Array(0) })), "11000100");
  });

  test("writes an opcode and a region of zero, which are not empty", () => {
    assert.equal(toHex(itemsOf({ opcode: 0, region: 0 })), "1100010017000100");
  });

  test("writes a payload of 65,535 bytes, the longest that there is", () => {
    const payload = new Uint8Array(0xffff).fill(0xab);
    assert.deepEqual(decodeOperation(itemsOf({ payload })).payload, payload);
  });

  const refused: readonly [what: string, operation: Operation, code: ErrorCode][] = [
    ["a payload of 65,536 bytes", { payload: new Uint8Array(0x1_0000) }, "TOO_LONG"],
    ["a name of 65,536 bytes", { serverName: "é".repeat(0x8000) }, "TOO_LONG"],
    ["an opcode above 255", { opcode: 0x100 }, "TOO_LONG"],
    ["an opcode below zero", { opcode: -1 }, "TOO_LONG"],
    ["a region that is no whole number", { region: 1.5 }, "TOO_LONG"],
    ["an address of 5 bytes", { clientIp: new Uint8Array(5) }, "ITEM_LENGTH"],
  ];
  for (const [what, operation, code] of refused) {
    test(`refuses ${what}`, () => {
      assert.throws(() => itemsOf(operation), isFormatError(code));
    });
  }
});

function itemsOf(operation: Operation): Uint8Array {
  const writer = new ByteWriter(itemsLength(operation));
  encodeItems(operation, writer);
  return writer.bytes;
}

function givesOperationOrFormatError(body: Uint8Array): void {
  try {
    decodeOperation(body);
  } catch (error) {
    assert.ok(error instanceof FormatError, `${error}`);
  }
}

function isFormatError(code: ErrorCode, message = /./): (error: unknown) => boolean {
  return (error) =>
    error instanceof FormatError && error.code === code && message.test(error.message);
}

test("an operation with its own bytes is the same, and does not change with the packet", () => {
  fc.assert(fc.property(anyOperation(), (operation) => {
    const writer = new ByteWriter(itemsLength(operation));
    encodeItems(operation, writer);
    const packet = writer.bytes;
    const decoded = decodeOperation(packet);
    const expected = structuredClone(decoded);
    const kept = withOwnBytes(decoded);
    packet.fill(0xff);
    assert.deepEqual(kept, expected);
    for (const value of Object.values(kept)) {
      if (value instanceof Uint8Array) assert.equal(value.buffer.byteLength, value.length);
    }
  }));
});
