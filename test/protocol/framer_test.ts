import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { FormatError } from "../../src/errors/errors.ts";
import { DEFAULT_MAX_HELD_BYTES, Framer } from "../../src/protocol/framer.ts";
import { MAX_BODY_BYTES, type Packet, PACKET_HEADER_BYTES } from "../../src/protocol/packet.ts";
import { anyId } from "./operations.ts";
import { bytes } from "./vectors.ts";

const LONGEST_PACKET_BYTES = PACKET_HEADER_BYTES + MAX_BODY_BYTES;

describe("Framer", () => {
  test("gives the same packets wherever the stream is cut", () => {
    const packet = fc.record({
      major: fc.nat(0xff),
      minor: fc.nat(0xff),
      id: anyId(),
      body: fc.uint8Array({ maxLength: 40 }),
    }, { noNullPrototype: true });
    const cuts = fc.array(fc.nat(400), { maxLength: 20 });
    fc.assert(fc.property(fc.array(packet, { maxLength: 8 }), cuts, (packets, cutsAt) => {
      const stream = join(packets.map(packetBytes));
      const framer = new Framer();
      const seen: Packet[] = [];
      for (const chunk of cut(stream, cutsAt)) {
        framer.push(chunk);
        seen.push(...drain(framer));
      }
      assert.deepEqual(seen, packets);
      assert.equal(framer.heldBytes, 0);
    }));
  });

  test("tells the major version of the next packet from its first byte", () => {
    const framer = new Framer();
    assert.equal(framer.nextMajor, undefined);
    const first = packetBytes({ major: 1, minor: 0, id: 1, body: Uint8Array.of(7) });
    framer.push(join([first, Uint8Array.of(0x48)]));
    assert.equal(framer.nextMajor, 1);
    assert.equal(drain(framer).length, 1);
    assert.equal(framer.nextMajor, 0x48);
  });

  test("gives the same packets when all chunks are pushed before the first is pulled", () => {
    const packets = [1, 2, 3].map((id) => ({ major: 1, minor: 0, id, body: Uint8Array.of(id) }));
    const framer = new Framer();
    for (const byte of join(packets.map(packetBytes))) framer.push(Uint8Array.of(byte));
    assert.equal(framer.heldBytes, 3 * (PACKET_HEADER_BYTES + 1));
    assert.deepEqual(drain(framer), packets);
  });

  test("waits for the last byte of a packet", () => {
    const framer = new Framer();
    const whole = packetBytes({ major: 1, minor: 0, id: 9, body: Uint8Array.of(1, 2, 3) });
    for (const byte of whole.subarray(0, -1)) {
      framer.push(Uint8Array.of(byte));
      assert.equal(framer.next(), undefined);
    }
    framer.push(whole.subarray(-1));
    assert.deepEqual(framer.next()?.body, Uint8Array.of(1, 2, 3));
  });

  test("gives a packet that is a header alone", () => {
    const framer = new Framer();
    framer.push(bytes("0100000000000005"));
    assert.deepEqual(framer.next(), { major: 1, minor: 0, id: 5, body: new Uint8Array(0) });
    assert.equal(framer.next(), undefined);
  });

  test("takes an empty chunk for nothing, in the middle of a packet too", () => {
    const framer = new Framer();
    framer.push(new Uint8Array(0));
    assert.equal(framer.next(), undefined);
    framer.push(bytes("01000001"));
    framer.push(new Uint8Array(0));
    framer.push(bytes("0000000512"));
    assert.deepEqual(framer.next()?.body, bytes("12"));
  });

  test("passes other versions on, so that their id can be answered", () => {
    const framer = new Framer();
    framer.push(bytes("0207000000000005"));
    assert.deepEqual(framer.next(), { major: 2, minor: 7, id: 5, body: new Uint8Array(0) });
  });

  test("gives the highest id and a body of 65,535 bytes", () => {
    const body = new Uint8Array(MAX_BODY_BYTES).fill(0x5a);
    const framer = new Framer();
    framer.push(packetBytes({ major: 1, minor: 0, id: 0xffff_ffff, body }));
    assert.deepEqual(framer.next(), { major: 1, minor: 0, id: 0xffff_ffff, body });
  });

  test("gives views of the chunk that it was handed: no copy", () => {
    const chunk = packetBytes({ major: 1, minor: 0, id: 1, body: Uint8Array.of(1, 2) });
    const framer = new Framer();
    framer.push(chunk);
    assert.equal(framer.next()?.body.buffer, chunk.buffer);
  });

  test("holds as many bytes as it may, and refuses one more without losing any", () => {
    const headers = 8_200; // packets of zeros are headers alone; together they pass 65,543 bytes
    const framer = new Framer(headers * PACKET_HEADER_BYTES);
    framer.push(new Uint8Array((headers - 1) * PACKET_HEADER_BYTES));
    framer.push(new Uint8Array(PACKET_HEADER_BYTES));
    assert.throws(() => framer.push(new Uint8Array(1)), isFull);
    assert.equal(framer.heldBytes, headers * PACKET_HEADER_BYTES);
    assert.equal(drain(framer).length, headers);
  });

  test("has room again for what was pulled", () => {
    const framer = new Framer(LONGEST_PACKET_BYTES);
    const body = new Uint8Array(MAX_BODY_BYTES);
    const longest = packetBytes({ major: 1, minor: 0, id: 1, body });
    for (let round = 0; round < 3; round++) {
      framer.push(longest.slice());
      assert.throws(() => framer.push(new Uint8Array(1)), isFull);
      assert.equal(framer.next()?.body.length, MAX_BODY_BYTES);
    }
  });

  test("can always hold the longest packet, however small its limit", () => {
    const framer = new Framer(1);
    const body = new Uint8Array(MAX_BODY_BYTES);
    framer.push(packetBytes({ major: 1, minor: 0, id: 1, body }));
    assert.equal(framer.next()?.body.length, MAX_BODY_BYTES);
  });

  test("holds 1 MiB by default, and not a byte more", () => {
    const framer = new Framer();
    framer.push(new Uint8Array(DEFAULT_MAX_HELD_BYTES));
    assert.equal(framer.heldBytes, 1_048_576);
    assert.throws(() => framer.push(new Uint8Array(1)), isFull);
  });
});

function packetBytes(packet: Packet): Uint8Array {
  const { major, minor, id, body } = packet;
  const header = [major, minor, body.length >>> 8, body.length & 0xff];
  const idBytes = [id >>> 24, (id >>> 16) & 0xff, (id >>> 8) & 0xff, id & 0xff];
  return join([Uint8Array.from([...header, ...idBytes]), body]);
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** The stream in chunks of their own memory, as a socket gives them. */
function cut(stream: Uint8Array, cutsAt: readonly number[]): readonly Uint8Array[] {
  const ends = [...cutsAt, stream.length].sort((a, b) => a - b);
  return ends.map((end, index) => stream.slice(ends[index - 1] ?? 0, end));
}

function drain(framer: Framer): readonly Packet[] {
  const packets: Packet[] = [];
  for (let packet = framer.next(); packet !== undefined; packet = framer.next()) {
    packets.push(packet);
  }
  return packets;
}

function isFull(error: unknown): boolean {
  return error instanceof FormatError && error.code === "FRAMER_FULL";
}
