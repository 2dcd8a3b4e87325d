import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { OP_RESPONSE } from "../../src/protocol/opcodes.ts";
import { assertAddsUp, bench, benchPlan, refuse, run } from "../support/bench_fixture.ts";
import { echo, type FakePeer, type Script, startFakeServer } from "../support/fake_server.ts";
import { SLOW } from "../support/ping_fixture.ts";
import { TestPki } from "../support/test_server.ts";

let pki: TestPki;
before(async () => {
  pki = await TestPki.create();
});

describe("connections that are lost", () => {
  test("a lost one is made again, and what was outstanding on it counted", SLOW, async () => {
    let count = 0;
    const ending = new AbortController();
    const peers = new Set<FakePeer>();
    await using server = await startFakeServer(pki, (request, peer) => {
      peers.add(peer);
      if (peers.size === 4) ending.abort();
      if (++count === 100) peer.socket.destroy();
      else echo(request, peer);
    });
    const plan = benchPlan(pki, server.port, { durationMs: 60_000 });
    const { result, errors } = await run(plan, ending.signal);
    assertAddsUp(result);
    assert.deepEqual(errors, []);
    assert.ok(result.totals.lost >= 1);
    assert.equal(result.connects.made, 3);
    assert.deepEqual(result.transportErrors.map((each) => [each.code, each.count]), [
      ["CONNECTION_LOST", 1],
    ]);
    assert.equal(server.peers.length, 4);
  });

  test("a target that dies ends the run; what was measured is reported", SLOW, async () => {
    await using server = await startFakeServer(pki, echo);
    const running = run(benchPlan(pki, server.port, { durationMs: 60_000, threads: 2 }));
    await server.received(100);
    await server.close();
    const { result, errors } = await running;
    assertAddsUp(result);
    assert.ok(result.totals.answered >= 90);
    assert.match(result.endedEarly ?? "", /connection refused/);
    assert.deepEqual(errors.map(({ exitCode }) => exitCode), [3]);
  });

  test("the time in which a target that is gone was looked for is not measured", SLOW, async () => {
    await using server = await startFakeServer(pki, echo);
    const load = { threads: 2, connections: 4, inFlight: 200, ratePerSecond: 2_000 };
    const changes = { ...load, durationMs: 60_000 };
    const startedMs = performance.now();
    const running = run(benchPlan(pki, server.port, changes));
    await server.received(600);
    await server.close();
    const goneMs = performance.now();
    const { result } = await running;
    assertAddsUp(result);
    assert.ok(performance.now() - goneMs > 1_900, "it was looked for");
    assert.ok(result.elapsedMs < goneMs - startedMs + 1_000, `${result.elapsedMs} ms`);
    const whole = result.series.reduce((sum, { spanSeconds }) => sum + spanSeconds, 0);
    assert.ok(Math.abs(whole - result.elapsedMs / 1_000) < 0.2, `${whole} s`);
    assert.ok(result.totals.dropped < 1_000, `${result.totals.dropped}, of the last moment alone`);
  });

  test("an open loop drops what is due while there is no connection", SLOW, async () => {
    let count = 0;
    let closedMs = 0;
    await using server = await startFakeServer(pki, (request, peer) => {
      if (++count === 100) {
        closedMs = performance.now();
        for (const each of server.peers) each.socket.destroy();
      } else echo(request, peer);
    }, {
      // the first three are the probe's and those of the start
      onConnect: (peer) =>
        void (closedMs > 0 && performance.now() < closedMs + 300 && peer.socket.destroy()),
    });
    const changes = { ratePerSecond: 1_000, durationMs: 1_000, inFlight: 200 };
    const { result } = await run(benchPlan(pki, server.port, changes));
    assertAddsUp(result);
    const { sent, dropped } = result.totals;
    assert.equal(sent + dropped, 1_000);
    assert.ok(dropped > 40, `${dropped} dropped: the first new connection took 50 ms at least`);
    assert.equal(result.operations[0]!.dropped, dropped);
    assert.ok(Math.abs(result.elapsedMs - 1_000) < 5, `${result.elapsedMs} ms: the gap counts`);
  });

  test("answers that are not the protocol's end their connection", SLOW, async () => {
    let count = 0;
    const { result } = await bench(pki, (request, peer) => {
      count++;
      if (count === 50) peer.send(Uint8Array.of(9, 9, 9, 9, 9, 9, 9, 9));
      else if (count === 60) peer.reply(77, { opcode: OP_RESPONSE });
      else if (count === 70) peer.reply(request.id, { opcode: OP_RESPONSE });
      else echo(request, peer);
    }, { requests: 500, durationMs: undefined });
    assert.deepEqual(result.transportErrors.map((each) => [each.code, each.count]), [
      ["REPLY_BROKEN", 3],
    ]);
    assert.match(result.transportErrors[0]!.message, /a packet of version 9$/);
  });

  test(
    "an answer that turns out broken when it is verified is lost, not counted",
    SLOW,
    async () => {
      let count = 0;
      const broken = Uint8Array.of(0x11, 0, 1, 0xf2, 0x12, 0xff, 0xff); // an item beyond the end
      const { result } = await bench(pki, (request, peer) => {
        if (++count !== 50) return echo(request, peer);
        const id = [24, 16, 8, 0].map((shift) => (request.id >>> shift) & 0xff);
        peer.send(Uint8Array.of(1, 0, 0, broken.length, ...id, ...broken));
      }, { requests: 200, durationMs: undefined, verifyEvery: 1 });
      assert.deepEqual(result.transportErrors.map(({ code }) => code), ["REPLY_BROKEN"]);
      assert.ok(result.totals.lost >= 1);
    },
  );

  test("a server that falls silent ends a run of so many requests", SLOW, async () => {
    let count = 0;
    const { result, errors } = await bench(pki, (request, peer) => {
      if (++count <= 100) echo(request, peer);
    }, { requests: 500, durationMs: undefined, timeoutMs: 1_000 });
    assert.equal(result.totals.answered, 99);
    assert.equal(result.totals.lost, 4);
    assert.deepEqual(errors.map(({ code }) => code), ["DEADLINE"]);
  });
});

describe("without a right answer a run has failed", () => {
  test("where connections are closed as soon as they are made", SLOW, async () => {
    let count = 0;
    await using server = await startFakeServer(pki, echo, {
      onConnect: (peer) => void (++count > 1 && peer.socket.destroy()),
    });
    const { result, errors } = await run(benchPlan(pki, server.port));
    assertAddsUp(result);
    assert.ok(result.transportErrors[0]!.count >= 2);
    assert.deepEqual(errors.map(({ code }) => code), ["CONNECTION_LOST"]);
  });

  test("where all are error replies", SLOW, async () => {
    let count = 0;
    const script: Script = (request, peer) => {
      if (++count === 1) echo(request, peer);
      else refuse(request, peer, 8);
    };
    const { errors } = await bench(pki, script, { requests: 20, durationMs: undefined });
    assert.deepEqual(errors.map(({ exitCode }) => exitCode), [5]);
    assert.match(errors[0]!.message, /none of 20 requests .* error 8: internal error$/);
  });

  test("where nothing comes back", SLOW, async () => {
    let count = 0;
    const script: Script = (request, peer) => void (++count === 1 && echo(request, peer));
    const { errors } = await bench(pki, script, { durationMs: 200, timeoutMs: 1_000 });
    assert.deepEqual(errors.map(({ code }) => code), ["DEADLINE"]);
  });
});
