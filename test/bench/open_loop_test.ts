import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { bench, countFrom, ed25519Key, received, signer } from "../support/bench_fixture.ts";
import { echo, type Script } from "../support/fake_server.ts";
import { SLOW } from "../support/ping_fixture.ts";
import { TestPki } from "../support/test_server.ts";

let pki: TestPki;
before(async () => {
  pki = await TestPki.create();
});

describe("an open loop", () => {
  test("sends at its rate, by the server's own count", SLOW, async () => {
    const changes = { ratePerSecond: 500, durationMs: 1_000, inFlight: 500, threads: 2 };
    const { result, server } = await bench(pki, echo, changes);
    assert.ok(Math.abs(received(server) - 500) <= 2, `${received(server)} requests`);
    assert.equal(result.totals.sent, received(server));
    assert.equal(result.totals.dropped, 0);
    assert.ok(result.pacerLatenessNs !== null);
    assert.ok(result.operations[0]!.serviceNs !== null);
  });

  test("a server that stalls makes every request slow that was due meanwhile", SLOW, async () => {
    const STALL_MS = 400;
    const stalling = (): Script => {
      let count = 0;
      let held: (() => void)[] | undefined;
      return (request, peer) => {
        if (++count === 50) {
          held = [];
          setTimeout(() => {
            held?.forEach((answer) => answer());
            held = undefined;
          }, STALL_MS);
        }
        if (held === undefined) echo(request, peer);
        else held.push(() => echo(request, peer));
      };
    };
    const changes = { connections: 1, durationMs: 1_000 };
    const open = await bench(pki, stalling(), { ...changes, inFlight: 500, ratePerSecond: 200 });
    // one request each 5 ms of the stall, of which the last 100 ms are not looked at
    const slow = countFrom(open.latency, 100);
    assert.ok(slow >= 58, `${slow} requests took 100 ms and more`);
    const closed = await bench(pki, stalling(), { ...changes, inFlight: 1 });
    const hidden = countFrom(closed.latency, 100);
    // one after another, no more than ten have room for 100 ms, however slow the machine is
    assert.ok(hidden >= 1 && hidden <= 10, `${hidden} requests, which a closed loop hides`);
  });

  test("drops what is due while as many are outstanding as may be", SLOW, async () => {
    let isProbed = false;
    const { result, server } = await bench(pki, (request, peer) => {
      if (!isProbed) echo(request, peer);
      isProbed = true;
    }, { ratePerSecond: 100, durationMs: 500, timeoutMs: 1_500, connections: 2, inFlight: 3 });
    const { sent, dropped, lost } = result.totals;
    assert.deepEqual({ sent, dropped, lost }, { sent: 6, dropped: 44, lost: 6 });
    assert.equal(result.series.reduce((sum, { errors }) => sum + errors, 0), 44);
    assert.equal(received(server), 6);
  });

  test(
    "drops each operation by its weight, and goes on as soon as there is room",
    SLOW,
    async () => {
      let isHeld = false;
      const held: (() => void)[] = [];
      const { key, privateKey } = ed25519Key();
      const operations = [
        { name: "ping", weight: 3, keys: [] },
        { name: "ed25519", weight: 1, keys: [key] },
      ] as const;
      const answer = signer(privateKey);
      let count = 0;
      const { result } = await bench(pki, (request, peer) => {
        if (++count === 20) {
          isHeld = true;
          setTimeout(() => {
            isHeld = false;
            held.forEach((answerOne) => answerOne());
          }, 300);
        }
        if (isHeld) held.push(() => answer(request, peer));
        else answer(request, peer);
      }, { operations, ratePerSecond: 400, durationMs: 1_000, connections: 3, inFlight: 2 });
      assert.equal(held.length, 6, "as many as may be outstanding");
      const [pings, signatures] = result.operations;
      assert.equal(pings!.sent + pings!.dropped, 300);
      assert.equal(signatures!.sent + signatures!.dropped, 100);
      assert.ok(signatures!.dropped >= 20, `${signatures!.dropped} dropped`);
      assert.ok(signatures!.answered >= 10, `${signatures!.answered} answered`);
      assert.equal(result.totals.dropped, pings!.dropped + signatures!.dropped);
    },
  );

  test("shares its requests out over its connections", SLOW, async () => {
    const changes = { ratePerSecond: 500, durationMs: 1_000, connections: 10, inFlight: 50 };
    const { server } = await bench(pki, echo, changes);
    const counts = server.peers.slice(1).map(({ requests }) => requests.length);
    assert.equal(counts.length, 10);
    for (const each of counts) assert.ok(each >= 30 && each <= 70, counts.join());
  });

  test("climbs to its rate before it measures", SLOW, async () => {
    const changes = { ratePerSecond: 400, rampMs: 500, durationMs: 500, inFlight: 300 };
    const { result, server } = await bench(pki, echo, changes);
    assert.ok(Math.abs(result.totals.sent - 200) <= 1);
    assert.ok(Math.abs(received(server) - 300) <= 2, "half the rate while it climbs");
  });
});
