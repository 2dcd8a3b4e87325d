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

  test("makes of any bytes, cut and pulled anyhow, what a parse of the whole makes", () => {
    // small bytes, so that lengths are met by what follows
    const stream = fc.oneof(
      fc.array(
        fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(3) }),
      ),
      fc.array(fc.nat(0xff)),
      fc.array(fc.constantFrom(0, 1, 8, 0xff), { minLength: 1_000, maxLength: 3_000 }),
    ).map((values) => Uint8Array.from(values));
    const cuts = fc.array(fc.nat(3_000), { maxLength: 20 });
    const pulls = fc.infiniteStream(fc.nat(3));
    fc.assert(fc.property(stream, cuts, pulls, (whole, cutsAt, pullsAfter) => {
      const framer = new Framer();
      const seen: Packet[] = [];
      for (const chunk of cut(whole, cutsAt)) {
        framer.push(chunk);
        for (let left = pullsAfter.next().value ?? 0; left > 0; left--) {
          seen.push(...[framer.next() ?? []].flat());
        }
      }
      seen.push(...drain(framer));
      const { packets, rest } = parseWhole(whole);
      assert.deepEqual(seen, packets);
      assert.equal(framer.heldBytes, rest);
    }));
  });

  test("refuses a chunk that does not fit, any other it takes, and it loses no byte", () => {
    const chunk = fc.tuple(fc.nat(30_000), fc.nat(3));
    fc.assert(fc.property(fc.array(chunk, { maxLength: 12 }), (chunks) => {
      const framer = new Framer(1);
      const taken: Uint8Array[] = [];
      const seen: Packet[] = [];
      for (const [length, value] of chunks) {
        const held = framer.heldBytes;
        const bytes = new Uint8Array(length).fill(value);
        if (held + length > LONGEST_PACKET_BYTES) {
          assert.throws(() => framer.push(bytes), isFull);
          assert.equal(framer.heldBytes, held);
          seen.push(...drain(framer));
        } else {
          framer.push(bytes);
          taken.push(bytes.slice());
        }
      }
      seen.push(...drain(framer));
      const { packets, rest } = parseWhole(join(taken));
      assert.deepEqual(seen.map(textOf), packets.map(textOf));
      assert.equal(framer.heldBytes, rest);
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

/** The packets of a whole stream, and how many bytes are left of one that is not whole. */
function parseWhole(stream: Uint8Array): { readonly packets: Packet[]; readonly rest: number } {
  const view = new DataView(stream.buffer, stream.byteOffset, stream.length);
  const packets: Packet[] = [];
  let at = 0;
  while (stream.length - at >= PACKET_HEADER_BYTES) {
    const end = at + PACKET_HEADER_BYTES + view.getUint16(at + 2);
    if (end > stream.length) break;
    const body = stream.slice(at + PACKET_HEADER_BYTES, end);
    const [major, minor] = [view.getUint8(at), view.getUint8(at + 1)];
    packets.push({ major, minor, id: view.getUint32(at + 4), body });
    at = end;
  }
  return { packets, rest: stream.length - at };
}

/** Packets of which there are tens of thousands are compared as texts. */
function textOf({ major, minor, id, body }: Packet): string {
  return `${major}.${minor} ${id} ${body.length} ${body[0]} ${body.at(-1)}`;
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
