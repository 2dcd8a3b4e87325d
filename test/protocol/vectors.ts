import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fromHex } from "../../src/bytes/hex.ts";
import type { Operation } from "../../src/protocol/operation.ts";

/** A packet as the reference writes it. */
export interface PacketVector {
  readonly name: string;
  readonly id: number;
  readonly fields: Readonly<Record<string, string>>;
  readonly hex: string;
}

/** A packet's body, and whether the reference accepts it. */
export interface BodyVector {
  readonly name: string;
  readonly bodyHex: string;
  readonly accepted: boolean;
}

export function packetVectors(): readonly PacketVector[] {
  return read<PacketVector>("packets.json");
}

export function bodyVectors(): readonly BodyVector[] {
  return read<BodyVector>("malformed.json");
}

/** The operation that a vector's fields describe. Fields that describe none are passed over. */
export function operationOf(fields: PacketVector["fields"]): Operation {
  const operation: Record<string, number | string | Uint8Array> = {};
  for (const [name, text] of Object.entries(fields)) {
    const parse = PARSERS[name];
    assert.ok(
      parse !== undefined,
      `the vectors hold a field that this test does not know: ${name}`,
    );
    Object.assign(operation, parse(text));
  }
  return operation;
}

/** The bytes of hexadecimal that stands in a test. */
export function bytes(hex: string): Uint8Array {
  const parsed = fromHex(hex);
  assert.ok(parsed !== undefined, `not hexadecimal: ${hex}`);
  return parsed;
}

const PARSERS: Readonly<Record<string, (text: string) => Operation>> = {
  opcode: (text) => ({ opcode: Number(text) }),
  payload: (text) => ({ payload: bytes(text) }),
  payloadLength: (text) => ({ payload: Uint8Array.from({ length: Number(text) }, (_, i) => i) }),
  extra: (text) => ({ extra: bytes(text) }),
  ski: (text) => ({ ski: bytes(text) }),
  digest: (text) => ({ digest: bytes(text) }),
  clientIP: (text) => ({ clientIp: addressBytes(text) }),
  serverIP: (text) => ({ serverIp: addressBytes(text) }),
  sni: (text) => ({ serverName: text }),
  certID: (text) => ({ certificateId: text }),
  customFuncName: (text) => ({ customFunction: text }),
  jaegerSpan: (text) => ({ span: bytes(text) }),
  reqContext: (text) => ({ context: bytes(text) }),
  complianceRegion: (text) => ({ region: Number(text) }),
  // what the reference says of the packet, and how a long payload was made
  opcodeName: () => ({}),
  type: () => ({}),
  errorText: () => ({}),
  payloadRule: (text) => {
    assert.equal(text, "byte i is i mod 256");
    return {};
  },
};

/** Four bytes of an IPv4 address, sixteen of an IPv6 one. */
function addressBytes(text: string): Uint8Array {
  if (!text.includes(":")) return Uint8Array.from(text.split("."), Number);
  const [head = "", tail = ""] = text.split("::");
  const groups = (part: string) =>
    part === "" ? [] : part.split(":").map((hex) => parseInt(hex, 16));
  const zeros = Array<number>(8 - groups(head).length - groups(tail).length).fill(0);
  const words = [...groups(head), ...zeros, ...groups(tail)];
  return Uint8Array.from(words.flatMap((word) => [word >> 8, word & 0xff]));
}

function read<Vector>(name: string): readonly Vector[] {
  const file = new URL(`../vectors/${name}`, import.meta.url);
  const parsed = JSON.parse(readFileSync(file, "utf8")) as { readonly vectors: readonly Vector[] };
  assert.ok(parsed.vectors.length > 0);
  return parsed.vectors;
}
