import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { OP_RESPONSE } from "../../src/protocol/opcodes.ts";
import {
  assertAddsUp,
  bench,
  benchPlan,
  ed25519Key,
  received,
  refuse,
  run,
  signer,
} from "../support/bench_fixture.ts";
import { echo, type Script, startFakeServer } from "../support/fake_server.ts";
import { SLOW } from "../support/ping_fixture.ts";
import { TestPki } from "../support/test_server.ts";

let pki: TestPki;
before(async () => {
  pki = await TestPki.create();
});

describe("a closed loop", () => {
  test("sends as many requests as are asked for, and counts every answer", SLOW, async () => {
    const changes = { requests: 501, durationMs: undefined, threads: 2, connections: 3 };
    const { result, errors, server, latency } = await bench(pki, echo, changes);
    assert.deepEqual(errors, []);
    assert.equal(result.totals.sent, 501);
    assert.equal(result.totals.answered, 501);
    assert.equal(received(server), 501);
    assert.equal(latency.totalCount, 501);
    assert.equal(result.connects.made, 3);
    assert.equal(result.endedEarly, null);
    assert.equal(server.peers.length, 4);
  });

  test("measures its time, after a warm-up that is not counted", SLOW, async () => {
    const { result, server } = await bench(pki, echo, { warmupMs: 200, durationMs: 1_200 });
    assert.ok(Math.abs(result.elapsedMs - 1_200) < 1, `${result.elapsedMs} ms`);
    assert.ok(result.totals.sent > 0);
    assert.ok(received(server) > result.totals.sent, "the warm-up asked as well");
    assert.deepEqual(result.series.map(({ atSeconds }) => atSeconds), [0, 1]);
    const arrived = result.totals.ratePerSecond * 1.2;
    const difference = Math.abs(arrived - result.totals.sent);
    assert.ok(difference < 4.5, "but for the four that are outstanding at its bounds");
  });

  test("an answer that comes after the measured time adds to no rate", SLOW, async () => {
    let count = 0;
    const { result, latency } = await bench(pki, (request, peer) => {
      if (++count === 1) echo(request, peer);
      else setTimeout(() => echo(request, peer), 400);
    }, { durationMs: 200 });
    assert.equal(result.totals.answered, 4);
    assert.equal(latency.totalCount, 4);
    assert.equal(result.totals.ratePerSecond, 0);
  });

  test("keeps each connection full, and no fuller", SLOW, async () => {
    let isProbed = false;
    let most = 0;
    const held: (() => void)[] = [];
    const { result } = await bench(pki, (request, peer) => {
      if (!isProbed) echo(request, peer);
      else held.push(() => echo(request, peer));
      isProbed = true;
      most = Math.max(most, held.length);
      if (held.length !== 21) return;
      setTimeout(() => held.splice(0).forEach((answer) => answer()), 5); // time for one too many
    }, { connections: 3, inFlight: 7, requests: 210, durationMs: undefined });
    assert.equal(most, 21);
    assert.equal(result.totals.answered, 210);
  });

  test("sends operations by their weights", SLOW, async () => {
    const { key, privateKey } = ed25519Key();
    const operations = [
      { name: "ping", weight: 3, keys: [] },
      { name: "ed25519", weight: 1, keys: [key] },
    ] as const;
    const changes = { operations, requests: 400, durationMs: undefined };
    const { result, errors } = await bench(pki, signer(privateKey), changes);
    assert.deepEqual(errors, []);
    assert.deepEqual(result.operations.map(({ name, answered }) => [name, answered]), [
      ["ping", 300],
      ["ed25519", 100],
    ]);
    assert.deepEqual(result.verification, { checked: 40, skipped: 0 });
  });

  test("counts error replies by their code, and never as answers", SLOW, async () => {
    let count = 0;
    const { result, errors, latency } = await bench(pki, (request, peer) => {
      count++;
      if (count % 4 === 2) refuse(request, peer, 8);
      else if (count % 4 === 3) refuse(request, peer, 2);
      else echo(request, peer);
    }, { requests: 400, durationMs: undefined });
    assert.deepEqual(errors, []);
    const [ping] = result.operations;
    assert.deepEqual(ping!.errors.map((error) => [error.wireCode, error.count]), [[2, 100], [
      8,
      100,
    ]]);
    assert.equal(ping!.errors[1]!.text, "internal error");
    assert.equal(result.totals.answered, 200);
    assert.equal(latency.totalCount, 200);
  });

  test("a wrong signature is found, and is no answer", SLOW, async () => {
    const { key, privateKey } = ed25519Key();
    let count = 0;
    const right = signer(privateKey);
    const script: Script = (request, peer) => {
      count++;
      if (count < 50) return right(request, peer);
      peer.reply(request.id, { opcode: OP_RESPONSE, payload: new Uint8Array(64) });
    };
    const operations = [{ name: "ed25519", weight: 1, keys: [key] }] as const;
    const changes = { operations, requests: 100, durationMs: undefined, verifyEvery: 1 };
    const { result, errors } = await bench(pki, script, changes);
    assert.equal(result.totals.wrong, 52, "the probe was the first right one of 49");
    assert.equal(result.totals.answered, 48);
    assert.deepEqual(errors.map(({ code }) => code), ["CHECK_FAILED"]);
    assert.match(
      errors[0]!.message,
      /52 of the 100 answers .* are wrong, .* ed25519 with test.pub/,
    );
  });

  test("says what could not be verified", SLOW, async () => {
    const { key, privateKey } = ed25519Key();
    const operations = [{
      name: "ed25519",
      weight: 1,
      keys: [{ ...key, info: undefined }],
    }] as const;
    const changes = { operations, requests: 100, durationMs: undefined };
    const { result } = await bench(pki, signer(privateKey), changes);
    assert.deepEqual(result.verification, { checked: 0, skipped: 10 });
  });
});

describe("answers are understood", () => {
  test("in whatever pieces they come, and in whatever order of their items", SLOW, async () => {
    const { result, errors } = await bench(pki, (request, peer) => {
      const payload = request.operation.payload!;
      const items = [0x12, 0, payload.length, ...payload, 0x11, 0, 1, 0xf2];
      const id = [24, 16, 8, 0].map((shift) => (request.id >>> shift) & 0xff);
      const packet = Uint8Array.of(1, 0, 0, items.length, ...id, ...items);
      peer.send(packet.subarray(0, 5));
      setTimeout(() => peer.send(packet.subarray(5)), 1);
    }, { requests: 50, durationMs: undefined, connections: 2, inFlight: 1, verifyEvery: 1 });
    assert.deepEqual(errors, []);
    assert.equal(result.totals.answered, 50);
    assert.equal(result.verification.checked, 50);
  });
});

describe("before the load", () => {
  test("an error reply refuses the run, with operation and key", SLOW, async () => {
    const { key } = ed25519Key();
    const operations = [{ name: "ed25519", weight: 1, keys: [key] }] as const;
    const running = bench(pki, (request, peer) => refuse(request, peer, 2), { operations });
    await assert.rejects(running, {
      code: "SERVER_ERROR",
      message: /^ed25519 with test\.pub: 127\.0\.0\.1:\d+ answered error 2: key not found/,
    });
  });

  test("a wrong answer refuses the run", SLOW, async () => {
    const { key } = ed25519Key();
    const operations = [{ name: "ed25519", weight: 1, keys: [key] }] as const;
    const running = bench(pki, signer(ed25519Key().privateKey), { operations });
    await assert.rejects(running, { code: "CHECK_FAILED", message: /^ed25519 with .*wrongly$/ });
  });
});

describe("a run that is ended by its user", () => {
  test("reports what was measured until then", SLOW, async () => {
    await using server = await startFakeServer(pki, echo);
    const ending = new AbortController();
    const running = run(benchPlan(pki, server.port, { durationMs: 60_000 }), ending.signal);
    await server.received(200);
    ending.abort();
    const { result, errors } = await running;
    assertAddsUp(result);
    assert.deepEqual(errors, []);
    assert.equal(result.endedEarly, "interrupted");
    assert.ok(result.totals.answered >= 190);
    assert.ok(result.elapsedMs < 30_000);
  });
});
