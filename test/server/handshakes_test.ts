/** The order and the deadlines of handshakes, without any network. */
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { describe, test } from "node:test";
import { afterOthers } from "../../src/runtime/turn.ts";
import { HandshakePace } from "../../src/server/handshake_pace.ts";
import { Handshakes } from "../../src/server/handshakes.ts";
import type { Newcomer } from "../../src/server/newcomers.ts";
import { ownServerCounters } from "../../src/server/server_counters.ts";

class TestPace extends HandshakePace {
  isStopped = false;

  override waitMs(nowMs?: number): number {
    return this.isStopped ? 20 : super.waitMs(nowMs);
  }
}

/** Handshakes by name, and what happened to them, in order. */
class Fixture {
  readonly counters = ownServerCounters();
  readonly pace = new TestPace(undefined);
  readonly begun: string[] = [];
  readonly cut: string[] = [];
  readonly reasons: string[] = [];
  readonly handshakes: Handshakes;
  #changed = () => {};

  constructor(handshakeMs = 60_000) {
    const { pace, counters } = this;
    this.handshakes = new Handshakes({ handshakeMs, pace, counters });
  }

  add(name: string, source = "192.0.2.1"): Newcomer {
    const newcomer: Newcomer = {
      source,
      socket: new EventEmitter() as unknown as Socket,
      begin: () => {
        this.begun.push(name);
        this.#changed();
      },
      cut: (why) => {
        this.cut.push(name);
        this.reasons.push(why === undefined ? "" : `${why.outcome}: ${why.reason}`);
        this.#changed();
      },
    };
    this.handshakes.add(newcomer);
    return newcomer;
  }

  /** As one that serves requests: newcomers wait for their turn. */
  serve(): void {
    this.pace.requestsEnd(performance.now(), true);
  }

  /** Resolves when so many have begun or were cut. */
  async reached(count: number): Promise<void> {
    while (this.begun.length + this.cut.length < count) {
      await new Promise<void>((resolve) => this.#changed = resolve);
    }
  }
}

const nextTurn = () => new Promise<void>((resolve) => afterOthers(resolve));

describe("handshakes", () => {
  test("begin at once where none waits, and then one in each turn, the newest first", async () => {
    const fixture = new Fixture();
    for (const name of ["a", "b", "c", "d"]) fixture.add(name);
    assert.deepEqual(fixture.begun, ["a"]);
    await nextTurn();
    assert.ok(fixture.begun.length <= 2, "one in a turn");
    await fixture.reached(4);
    assert.deepEqual(fixture.begun, ["a", "d", "c", "b"]);
    fixture.handshakes.cutAll();
  });

  test("wait while requests are served, and are counted all the while", async () => {
    const fixture = new Fixture();
    fixture.add("first");
    fixture.serve();
    const beganMs = performance.now();
    while (fixture.begun.length < 40) { // until what may be made up for is used up
      fixture.add("next");
      await fixture.reached(fixture.begun.length + 1);
      fixture.serve();
    }
    const lastedMs = performance.now() - beganMs;
    assert.ok(lastedMs >= (40 - 16) * 4 - 10, `40 began in ${lastedMs} ms`);
    assert.equal(fixture.counters.own("handshaking"), 40);
    fixture.handshakes.cutAll();
    assert.equal(fixture.counters.own("handshaking"), 0);
  });

  test("are over when they have ended or the connection is gone, and none of these begins", async () => {
    const fixture = new Fixture();
    const first = fixture.add("first");
    const leaver = fixture.add("leaver");
    fixture.add("last");
    leaver.socket.emit("close");
    fixture.handshakes.ended(first);
    fixture.handshakes.ended(first);
    assert.equal(fixture.handshakes.size, 1);
    await fixture.reached(2);
    await nextTurn();
    assert.deepEqual(fixture.begun, ["first", "last"]);
    fixture.handshakes.cutAll();
  });

  test("are cut when they have lasted, or waited, too long", async () => {
    const fixture = new Fixture(200);
    const beganMs = performance.now();
    fixture.add("slow");
    fixture.pace.isStopped = true;
    fixture.add("waiting");
    await fixture.reached(3);
    const lastedMs = performance.now() - beganMs;
    assert.ok(lastedMs >= 195, `${lastedMs} ms`);
    assert.deepEqual(fixture.cut, ["slow", "waiting"]);
    assert.deepEqual(fixture.reasons, [
      "timeout: its handshake took too long",
      "timeout: more handshakes came than there was time for",
    ]);
    assert.equal(fixture.handshakes.size, 0);
  });

  test("give way in order: the one that waits longest for its turn, then the oldest", async () => {
    const fixture = new Fixture();
    assert.equal(fixture.handshakes.cutOldest(), false);
    for (const name of ["a", "b", "c"]) fixture.add(name);
    assert.equal(fixture.handshakes.cutOldest(), true);
    assert.deepEqual(fixture.cut, ["b"]);
    await fixture.reached(3);
    assert.deepEqual(fixture.begun, ["a", "c"]);
    fixture.handshakes.cutOldest();
    fixture.handshakes.cutOldest();
    assert.deepEqual(fixture.cut, ["b", "a", "c"]);
    assert.equal(fixture.handshakes.cutOldest(), false);
    assert.match(fixture.reasons[0]!, /^limit: .*max_connections/);
  });

  test("give way first that were kept waiting by their clients for a second", async () => {
    const fixture = new Fixture();
    fixture.add("silent");
    await new Promise((resolve) => setTimeout(resolve, 1_050));
    fixture.add("b");
    fixture.add("c");
    fixture.handshakes.cutOldest();
    assert.deepEqual(fixture.cut, ["silent"]);
    fixture.handshakes.cutAll();
  });

  test("that are cut with all others are not spoken of", () => {
    const fixture = new Fixture();
    for (const name of ["a", "b"]) fixture.add(name);
    fixture.handshakes.cutAll();
    assert.deepEqual(fixture.cut.toSorted(), ["a", "b"]);
    assert.deepEqual(fixture.reasons, ["", ""]);
    assert.equal(fixture.handshakes.size, 0);
  });

  test("of one source begin within a few, however many another sends", async () => {
    const fixture = new Fixture();
    for (let count = 0; count < 1_000; count++) fixture.add("flood");
    fixture.add("client", "unix:/run/keyless.sock");
    for (let count = 0; count < 1_000; count++) fixture.add("flood");
    for (let begun = 1; begun <= 4; begun++) {
      await fixture.reached(begun);
      fixture.add("flood");
    }
    assert.ok(fixture.begun.slice(0, 4).includes("client"), fixture.begun.join());
    fixture.handshakes.cutAll();
  });

  test("of many sources that are served again and again begin in turn", async () => {
    const fixture = new Fixture();
    const sources = Array.from({ length: 10 }, (_, number) => `192.0.2.${number}`);
    for (const source of sources) for (let at = 0; at < 10; at++) fixture.add(source, source);
    for (let count = 0; count < 40; count++) fixture.add("flood", "192.0.2.100");
    await fixture.reached(30);
    for (const source of sources) assert.ok(fixture.begun.includes(source), source);
    fixture.handshakes.cutAll();
  });

  test("give way of the source that has most, and others stay", () => {
    const fixture = new Fixture();
    fixture.add("begun");
    fixture.pace.isStopped = true;
    fixture.add("client", "192.0.2.2");
    for (let count = 0; count < 20; count++) fixture.add(`flood ${count}`, "192.0.2.3");
    for (let count = 0; count < 19; count++) fixture.handshakes.cutOldest();
    assert.deepEqual(fixture.cut, Array.from({ length: 19 }, (_, count) => `flood ${count}`));
    fixture.handshakes.cutOldest();
    assert.equal(fixture.cut.at(-1), "client", "who has had one for longest, where all have one");
    fixture.handshakes.cutAll();
  });

  test("do not pile up where ten thousand are cut before their turn", async () => {
    const fixture = new Fixture();
    fixture.add("first");
    for (let count = 0; count < 10_000; count++) {
      fixture.add("passing");
      fixture.handshakes.cutOldest();
    }
    fixture.add("last");
    await fixture.reached(10_002);
    assert.deepEqual(fixture.begun, ["first", "last"]);
    fixture.handshakes.cutAll();
  });
});
