import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { before, describe, test } from "node:test";
import { TransportError } from "../../src/client/errors.ts";
import { KeylessError } from "../../src/errors/errors.ts";
import { OP_ERROR, OP_PING, OP_PONG, OP_RESPONSE } from "../../src/protocol/opcodes.ts";
import type { Operation } from "../../src/protocol/operation.ts";
import { encodePacket } from "../../src/protocol/packet.ts";
import { openConnection, rejection } from "../support/client_fixture.ts";
import {
  echo,
  type Request,
  type Script,
  silent,
  startFakeServer,
} from "../support/fake_server.ts";
import { TestPki } from "../support/test_server.ts";

const SOON = { timeoutMs: 4_000 };

/** Of an answer of a few bytes, filled up; and how many bytes of it come before the rest. */
const PACKET_BYTES = 1_024;
const CUTS = [1, 5, 8, 700, PACKET_BYTES - 1];

let pki: TestPki;
before(async () => {
  pki = await TestPki.create();
});

describe("Connection: answers", () => {
  test("answers reach their requests in whatever order they come", async () => {
    const held: (() => void)[] = [];
    await using server = await startFakeServer(pki, (request, peer) => {
      held.push(() => echo(request, peer));
      if (held.length === 3) held.reverse().forEach((answer) => answer());
    });
    const connection = await openConnection(pki, server.port);
    const order: number[] = [];
    await Promise.all([1, 2, 3].map(async (number) => {
      const reply = await connection.request(ping(number), SOON);
      assert.deepEqual([...reply.payload!], [number]);
      order.push(number);
    }));
    assert.deepEqual(order, [3, 2, 1]);
    connection.close();
  });

  test("answers arrive whole however their bytes were cut", async () => {
    // each piece ends an answer, so that the client tells when it has it, and begins the next one
    let sent = 0;
    let end = 0;
    await using server = await startFakeServer(pki, (_request, peer) => {
      if (peer.requests.length < 2) return;
      const answers = Buffer.concat(peer.requests.map(({ id, operation }) => {
        return encodePacket(id, { opcode: OP_PONG, payload: operation.payload });
      }));
      end += PACKET_BYTES;
      const cut = end + CUTS[peer.requests.length - 2]!;
      peer.send(answers.subarray(sent, cut));
      sent = cut;
    });
    const connection = await openConnection(pki, server.port);
    const asked = [connection.request(ping(0), SOON)];
    for (const number of [...CUTS.keys()].map((at) => at + 1)) {
      asked.push(connection.request(ping(number), SOON));
      assert.deepEqual([...(await asked[number - 1]!).payload!], [number - 1]);
    }
    connection.close();
    await rejection(asked.at(-1)!);
  });

  test("an answer without padding is as good as one that is filled up", async () => {
    await using server = await startFakeServer(pki, ({ id }, peer) => {
      // an opcode and a payload, 17 bytes in all
      peer.send(Uint8Array.of(1, 0, 0, 8, ...u32(id), 0x11, 0, 1, OP_PONG, 0x12, 0, 1, 7));
    });
    const connection = await openConnection(pki, server.port);
    assert.deepEqual([...(await connection.request(ping(7), SOON)).payload!], [7]);
    connection.close();
  });

  test("requests of one tick leave together, under ids that count up", async () => {
    await using server = await startFakeServer(pki, echo);
    const connection = await openConnection(pki, server.port, { firstId: 5 });
    await Promise.all([1, 2, 3].map((number) => connection.request(ping(number), SOON)));
    assert.deepEqual(server.peers[0]!.requests.map(({ id }) => id), [5, 6, 7]);
    connection.close();
  });

  test("ids wrap around", async () => {
    await using server = await startFakeServer(pki, echo);
    const connection = await openConnection(pki, server.port, { firstId: 0xffff_ffff });
    await connection.request(ping(1), SOON);
    await connection.request(ping(2), SOON);
    assert.deepEqual(server.peers[0]!.requests.map(({ id }) => id), [0xffff_ffff, 0]);
    connection.close();
  });
});

describe("Connection: requests that are given up", () => {
  test("an answer that comes after the deadline is dropped, and the others stay well", async () => {
    const late: (() => void)[] = [];
    await using server = await startFakeServer(pki, (request, peer) => {
      if (late.length === 0) return void late.push(() => echo(request, peer));
      late[0]!();
      echo(request, peer);
    });
    const connection = await openConnection(pki, server.port);
    const error = await rejection(connection.request(ping(1), { timeoutMs: 20 }));
    assert.equal(error.code, "DEADLINE");
    assert.match(error.message, /^no answer from 127\.0\.0\.1:\d+ within 20 ms/);
    assert.deepEqual([...(await connection.request(ping(2), SOON)).payload!], [2]);
    assert.ok(connection.isOpen);
    connection.close();
  });

  test("a second answer to a request that was given up breaks the connection", async () => {
    await using server = await startFakeServer(pki, (_request, peer) => {
      if (peer.requests.length === 1) return;
      echo(peer.requests[0]!, peer);
      echo(peer.requests[0]!, peer);
    });
    const connection = await openConnection(pki, server.port);
    await rejection(connection.request(ping(1), { timeoutMs: 20 }));
    const error = await rejection(connection.request(ping(2), SOON));
    assert.equal(error.code, "REPLY_BROKEN");
    assert.match(error.message, /an answer to 1, which nothing asked/);
  });

  test("an abort rejects its request at once, with the reason as the cause", async () => {
    await using server = await startFakeServer(pki, silent);
    const connection = await openConnection(pki, server.port);
    const controller = new AbortController();
    const other = rejection(connection.request(ping(2), SOON));
    const aborted = rejection(
      connection.request(ping(1), { ...SOON, signal: controller.signal }),
    );
    await server.received(2);
    controller.abort("no longer needed");
    const error = await aborted;
    assert.equal(error.code, "ABORTED");
    assert.equal(error.cause, "no longer needed");
    assert.ok(connection.isOpen);
    connection.close();
    await other;
  });

  test("a request whose signal is aborted already is not sent", async () => {
    await using server = await startFakeServer(pki, echo);
    const connection = await openConnection(pki, server.port);
    const signal = AbortSignal.abort();
    const error = await rejection(connection.request(ping(1), { ...SOON, signal }));
    assert.equal(error.code, "ABORTED");
    await connection.request(ping(2), SOON);
    assert.equal(server.peers[0]!.requests.length, 1);
    connection.close();
  });

  test("a time of 0 or less is a deadline that has passed", async () => {
    await using server = await startFakeServer(pki, silent);
    const connection = await openConnection(pki, server.port);
    for (const timeoutMs of [0, -5]) {
      const error = await rejection(connection.request(ping(1), { timeoutMs }));
      assert.equal(error.code, "DEADLINE");
    }
    connection.close();
  });

  test("a server that answers nothing is left once all its requests were given up", async () => {
    await using server = await startFakeServer(pki, silent);
    const connection = await openConnection(pki, server.port, { maxOutstanding: 2 });
    await rejection(connection.request(ping(1), { timeoutMs: 20 }));
    assert.ok(connection.isOpen);
    const waiting = rejection(connection.request(ping(2), { timeoutMs: 40 }));
    const third = rejection(connection.request(ping(3), SOON));
    assert.equal((await waiting).code, "DEADLINE");
    const error = await third;
    assert.equal(error.code, "CONNECTION_LOST");
    assert.match(error.message, /left 2 requests unanswered/);
    assert.ok(!connection.isOpen);
  });
});

describe("Connection: limits", () => {
  test("requests beyond the limit wait for their turn, in their order", async () => {
    const answers: (() => void)[] = [];
    await using server = await startFakeServer(pki, (request, peer) => {
      answers.push(() => echo(request, peer));
    });
    const connection = await openConnection(pki, server.port, { maxOutstanding: 2 });
    const all = [1, 2, 3, 4].map((number) => connection.request(ping(number), SOON));
    await server.received(2);
    assert.equal(answers.length, 2);
    for (let at = 0; at < 4; at++) {
      await server.received(at + 1);
      answers[at]!();
    }
    await Promise.all(all);
    const payloads = server.peers[0]!.requests.map(({ operation }) => operation.payload![0]);
    assert.deepEqual(payloads, [1, 2, 3, 4]);
    connection.close();
  });

  test("a request that waits for its turn still has its deadline and its signal", async () => {
    await using server = await startFakeServer(pki, silent);
    const connection = await openConnection(pki, server.port, { maxOutstanding: 1 });
    const first = rejection(connection.request(ping(1), SOON));
    const controller = new AbortController();
    const late = rejection(connection.request(ping(2), { timeoutMs: 20 }));
    const aborted = rejection(connection.request(ping(3), { ...SOON, signal: controller.signal }));
    controller.abort();
    assert.equal((await aborted).code, "ABORTED");
    assert.equal((await late).code, "DEADLINE");
    assert.equal(server.peers[0]!.requests.length, 1);
    connection.close();
    assert.equal((await first).code, "ABORTED");
  });

  test("requests beyond those that may wait are refused at once", async () => {
    await using server = await startFakeServer(pki, silent);
    const limits = { maxOutstanding: 1, maxWaiting: 1 };
    const connection = await openConnection(pki, server.port, limits);
    const two = [1, 2].map((number) => rejection(connection.request(ping(number), SOON)));
    assert.equal((await rejection(connection.request(ping(3), SOON))).code, "QUEUE_FULL");
    connection.close();
    for (const error of await Promise.all(two)) assert.equal(error.code, "ABORTED");
  });

  test("1,024 requests are sent without waiting, and the next one waits", async () => {
    await using server = await startFakeServer(pki, silent);
    const connection = await openConnection(pki, server.port);
    const all = Array.from({ length: 1_024 }, () => endOf(connection.request(ping(1), SOON)));
    const waiting = new AbortController();
    const { signal } = waiting;
    const next = endOf(connection.request(ping(2), { ...SOON, signal }));
    await server.received(1_024);
    waiting.abort(); // what was not sent yet never is
    assert.equal(await next, "ABORTED");
    const [peer] = server.peers;
    echo(peer!.requests[0]!, peer!);
    assert.equal(await all[0], "answered");
    const last = endOf(connection.request(ping(3), SOON));
    await server.received(1_025);
    assert.deepEqual(peer!.requests.slice(-2).map(numberOf), [1, 3]);
    connection.close();
    assert.deepEqual(new Set(await Promise.all([...all.slice(1), last])), new Set(["ABORTED"]));
  });
});

describe("Connection: a server that breaks the protocol", () => {
  const breaches: readonly [what: string, script: Script, says: RegExp][] = [
    [
      "an id that was never asked for",
      (_request, peer) => peer.reply(4_711, { opcode: OP_PONG }),
      /an answer to 4711, which nothing asked/,
    ],
    [
      "the same answer twice",
      (_request, peer) => {
        if (peer.requests.length !== 2) return;
        echo(peer.requests[0]!, peer);
        echo(peer.requests[0]!, peer);
      },
      /an answer to 1, which nothing asked/,
    ],
    [
      "an opcode that is no reply",
      ({ id }, peer) => peer.reply(id, { opcode: OP_PING }),
      /OpPing as the answer to packet 1/,
    ],
    [
      "the success of another kind of request",
      ({ id }, peer) => peer.reply(id, { opcode: OP_RESPONSE }),
      /OpResponse as the answer to packet 1/,
    ],
    [
      "an unknown opcode",
      ({ id }, peer) => peer.reply(id, { opcode: 0x77 }),
      /unknown opcode 0x77 as the answer/,
    ],
    [
      "no opcode",
      ({ id }, peer) => peer.reply(id, { payload: Uint8Array.of(1) }),
      /no opcode as the answer/,
    ],
    [
      "an error without its byte",
      ({ id }, peer) => peer.reply(id, { opcode: OP_ERROR }),
      /an error of 0 bytes instead of 1/,
    ],
    [
      "an item that overruns its packet",
      ({ id }, peer) => peer.send(Uint8Array.of(1, 0, 0, 4, ...u32(id), 0x11, 0, 9, 0xf2)),
      /9 bytes wanted/,
    ],
    [
      "another version",
      ({ id }, peer) => peer.send(Uint8Array.of(9, 0, 0, 4, ...u32(id), 0x11, 0, 1, 0xf2)),
      /a packet of version 9/,
    ],
  ];

  for (const [what, script, says] of breaches) {
    test(`${what} fails every request on the connection and closes it`, async () => {
      await using server = await startFakeServer(pki, script);
      const connection = await openConnection(pki, server.port, { maxOutstanding: 2 });
      const all = [1, 2, 3].map((number) =>
        connection.request(ping(number), SOON).then(() => undefined, (error: unknown) => error)
      );
      const errors = (await Promise.all(all)).filter((error) => error !== undefined);
      assert.ok(errors.length >= 2, "at most one of them was answered before");
      for (const error of errors) {
        assert.ok(error instanceof TransportError);
        assert.equal(error.code, "REPLY_BROKEN");
        assert.match(error.message, says);
      }
      assert.ok(!connection.isOpen);
      const later = await rejection(connection.request(ping(4), SOON));
      assert.equal(later.code, "REPLY_BROKEN");
    });
  }

  test("another protocol is told from its first byte, however little of it comes", async () => {
    await using server = await startFakeServer(pki, (_request, peer) => {
      peer.send(new TextEncoder().encode("H"));
    });
    const connection = await openConnection(pki, server.port);
    const error = await rejection(connection.request(ping(1), SOON));
    assert.equal(error.code, "REPLY_BROKEN");
    assert.match(error.message, /a packet of version 72; is it a key server that listens there\?$/);
  });

  test("half an answer and then the end is a lost connection", async () => {
    await using server = await startFakeServer(pki, ({ id }, peer) => {
      peer.socket.end(encodePacket(id, { opcode: OP_PONG }).subarray(0, 500));
    });
    const connection = await openConnection(pki, server.port);
    const error = await rejection(connection.request(ping(1), SOON));
    assert.equal(error.code, "CONNECTION_LOST");
    assert.match(error.message, /ended before the answer/);
  });

  test("the end after an answer is a lost connection for what is still under way", async () => {
    await using server = await startFakeServer(pki, (request, peer) => {
      if (peer.requests.length === 1) return echo(request, peer);
      peer.socket.destroy();
    });
    const connection = await openConnection(pki, server.port);
    await connection.request(ping(1), SOON);
    const error = await rejection(connection.request(ping(2), SOON));
    assert.equal(error.code, "CONNECTION_LOST");
  });

  test("onClose is told once, before the requests fail", async () => {
    const events: string[] = [];
    await using server = await startFakeServer(pki, (_request, peer) => peer.socket.destroy());
    const connection = await openConnection(pki, server.port, {
      onClose: () => events.push("close"),
    });
    await connection.request(ping(1), SOON).catch((error: unknown) => {
      assert.ok(error instanceof KeylessError);
      events.push("fail");
    });
    connection.close();
    assert.deepEqual(events, ["close", "fail"]);
  });
});

/** "answered", or the code that it was rejected with. */
function endOf(request: Promise<Operation>): Promise<string> {
  return request.then(() => "answered", (error: KeylessError) => error.code);
}

function numberOf({ operation }: Request): number | undefined {
  return operation.payload?.[0];
}

function ping(number: number): Operation {
  return { opcode: OP_PING, payload: Uint8Array.of(number) };
}

function u32(value: number): number[] {
  return [value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
}
