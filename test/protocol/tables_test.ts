import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SCHEMES } from "../../src/crypto/scheme.ts";
import { WIRE_ERRORS, wireErrorText } from "../../src/protocol/errors.ts";
import {
  OP_ERROR,
  OP_PING,
  OP_PONG,
  OP_RESPONSE,
  opcodeName,
  opcodeOf,
  opcodeOfScheme,
  OPCODES,
  opcodeType,
} from "../../src/protocol/opcodes.ts";
import { ITEMS, PADDING_TAG } from "../../src/protocol/tags.ts";

/** Opcode label, wire value and `type` label, as the reference documents its metrics. */
const DOCUMENTED_OPCODES: readonly [name: string, code: number, type: string][] = [
  ["OpRSADecrypt", 0x01, "rsa"],
  ["OpRSASignMD5SHA1", 0x02, "rsa"],
  ["OpRSASignSHA1", 0x03, "rsa"],
  ["OpRSASignSHA224", 0x04, "rsa"],
  ["OpRSASignSHA256", 0x05, "rsa"],
  ["OpRSASignSHA384", 0x06, "rsa"],
  ["OpRSASignSHA512", 0x07, "rsa"],
  ["OpRSAPSSSignSHA256", 0x35, "rsa"],
  ["OpRSAPSSSignSHA384", 0x36, "rsa"],
  ["OpRSAPSSSignSHA512", 0x37, "rsa"],
  ["OpECDSASignMD5SHA1", 0x12, "ecdsa"],
  ["OpECDSASignSHA1", 0x13, "ecdsa"],
  ["OpECDSASignSHA224", 0x14, "ecdsa"],
  ["OpECDSASignSHA256", 0x15, "ecdsa"],
  ["OpECDSASignSHA384", 0x16, "ecdsa"],
  ["OpECDSASignSHA512", 0x17, "ecdsa"],
  ["OpEd25519Sign", 0x18, "ed25519"],
  ["OpSeal", 0x21, "other"],
  ["OpUnseal", 0x22, "other"],
  ["OpRPC", 0x23, "rpc"],
  ["OpCustom", 0x24, "custom"],
  ["OpPing", 0xf1, "other"],
  ["OpPong", 0xf2, "other"],
  ["OpResponse", 0xf0, "other"],
  ["OpError", 0xff, "other"],
];

/** The `error` labels in the order of their bytes, as the reference documents its metrics. */
const DOCUMENTED_ERRORS: readonly string[] = [
  "no error",
  "cryptography error",
  "key not found due to no matching SKI/SNI/ServerIP",
  "read failure",
  "version mismatch",
  "bad opcode",
  "unexpected opcode",
  "malformed message",
  "internal error",
  "certificate not found",
  "sealing key expired",
  "remote configuration error",
];

describe("opcodes", () => {
  test("have the documented names, bytes and types, and no others stand in the table", () => {
    const rows = OPCODES.map((row) => [row.name, row.code, row.type]);
    assert.deepEqual(byName(rows), byName(DOCUMENTED_OPCODES));
  });

  test("have no byte, name or scheme twice", () => {
    assertUnique(OPCODES.map((row) => row.code));
    assertUnique(OPCODES.map((row) => row.name));
    assertUnique(OPCODES.flatMap((row) => "scheme" in row ? [row.scheme] : []));
  });

  test("that use a key name every scheme of the engines, and no other", () => {
    const named = OPCODES.flatMap((row) => "scheme" in row ? [row.scheme] : []);
    assert.deepEqual(named.toSorted(), Object.keys(SCHEMES).toSorted());
  });

  test("that use a key have a type that fits the key of their scheme", () => {
    for (const row of OPCODES) {
      if (!("scheme" in row)) continue;
      const keyType = SCHEMES[row.scheme].keyType;
      assert.equal(row.type, keyType === "ec" ? "ecdsa" : keyType);
    }
  });

  test("are found by byte and by scheme", () => {
    for (const row of OPCODES) {
      assert.equal(opcodeOf(row.code), row);
      if ("scheme" in row) assert.equal(opcodeOfScheme(row.scheme), row);
    }
  });

  test("that the protocol does not know are named by their byte and typed unknown", () => {
    for (let code = 0; code <= 0xff; code++) {
      if (DOCUMENTED_OPCODES.some((row) => row[1] === code)) continue;
      assert.equal(opcodeOf(code), undefined);
      assert.match(opcodeName(code), /^unknown opcode 0x[0-9a-f]{2}$/);
      assert.equal(opcodeType(code), "unknown");
    }
  });

  test("of pings and answers have names of their own in the code", () => {
    assert.equal(opcodeName(OP_PING), "OpPing");
    assert.equal(opcodeName(OP_PONG), "OpPong");
    assert.equal(opcodeName(OP_RESPONSE), "OpResponse");
    assert.equal(opcodeName(OP_ERROR), "OpError");
  });
});

describe("error bytes", () => {
  test("have the documented texts, in the order of their bytes", () => {
    const rows = Object.values(WIRE_ERRORS);
    assert.deepEqual(rows.map((row) => row.text), DOCUMENTED_ERRORS);
    assert.deepEqual(rows.map((row) => row.code), DOCUMENTED_ERRORS.map((_, code) => code));
  });

  test("are shown by their text, and unknown ones as an unknown error", () => {
    for (let code = 0; code <= 0xff; code++) {
      assert.equal(wireErrorText(code), DOCUMENTED_ERRORS[code] ?? "unknown error");
    }
  });
});

describe("items", () => {
  test("have no tag, name or field twice, and none has the tag of padding", () => {
    assertUnique([...ITEMS.map((item) => item.tag), PADDING_TAG]);
    assertUnique(ITEMS.map((item) => item.name));
    assertUnique(ITEMS.map((item) => item.field));
  });

  test("have the tags of the protocol page, in the order in which they are written", () => {
    assert.deepEqual(
      ITEMS.map((item) => item.tag),
      [0x11, 0x12, 0x14, 0x04, 0x01, 0x03, 0x05, 0x02, 0x06, 0x13, 0x15, 0x16, 0x17],
    );
    assert.equal(PADDING_TAG, 0x20);
  });
});

function assertUnique(values: readonly unknown[]): void {
  assert.deepEqual(values, [...new Set(values)]);
}

function byName<Row extends readonly unknown[]>(rows: readonly Row[]): readonly Row[] {
  return rows.toSorted((a, b) => String(a[0]) < String(b[0]) ? -1 : 1);
}
