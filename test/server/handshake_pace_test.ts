import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { HandshakePace } from "../../src/server/handshake_pace.ts";

/** A thread that is always at work: what its clocks show is what it has done. */
class BusyThread {
  nowMs = 10_000;
  waitedMs = 0;
  begun = 0;
  readonly pace = new HandshakePace(() => this.nowMs - this.waitedMs);

  /** Begins handshakes as the pace allows; `costMs` of each are spent in so many pieces. */
  handshakes(forMs: number, costMs: number, options: { pieces?: number; asks?: boolean } = {}) {
    const { pieces = 1, asks = true } = options;
    const begunBefore = this.begun;
    const later: number[] = [];
    for (const untilMs = this.nowMs + forMs; this.nowMs < untilMs;) {
      if (later.length > 0) this.nowMs += later.pop()!;
      if (this.pace.waitMs(this.nowMs) === 0) {
        this.pace.begin(this.nowMs);
        this.begun += 1;
        this.nowMs += costMs / pieces;
        for (let piece = 1; piece < pieces; piece++) later.push(costMs / pieces);
      } else if (!asks) {
        this.wait(this.pace.waitMs(this.nowMs));
      }
      if (asks) this.request();
    }
    return this.begun - begunBefore;
  }

  request(): void {
    this.nowMs += 0.005; // to read it
    this.pace.requestsBegin(this.nowMs);
    this.nowMs += 0.03;
    this.pace.requestsEnd(this.nowMs, true);
  }

  wait(ms: number): void {
    this.nowMs += ms;
    this.waitedMs += ms;
  }
}

describe("the pace of handshakes", () => {
  test("leaves three quarters of the time to requests, whatever a handshake costs", () => {
    const cost = fc.double({ min: 0.3, max: 5, noNaN: true });
    fc.assert(
      fc.property(cost, fc.integer({ min: 1, max: 3 }), (costMs, pieces) => {
        const thread = new BusyThread();
        thread.handshakes(1_000, costMs, { pieces }); // it learns what one costs
        const share = thread.handshakes(4_000, costMs, { pieces }) * costMs / 4_000;
        assert.ok(share > 0.2 && share < 0.3, `${share} at ${costMs} ms`);
      }),
      { numRuns: 30 },
    );
  });

  test("follows the cost: strangers cannot get more by handshakes that cost more", () => {
    const thread = new BusyThread();
    thread.handshakes(2_000, 0.3);
    const share = thread.handshakes(2_000, 4) * 4 / 2_000;
    assert.ok(share > 0.2 && share < 0.3, String(share));
  });

  test("makes nobody wait where no requests are served", () => {
    const thread = new BusyThread();
    const begun = thread.handshakes(1_000, 1, { asks: false });
    assert.equal(begun, 1_000);
  });

  test("makes the first ones of a busy time wait no longer than what they cost", () => {
    const thread = new BusyThread();
    thread.handshakes(5_000, 1, { asks: false }); // nobody was there to be kept waiting
    thread.request();
    assert.ok(thread.pace.waitMs(thread.nowMs) <= 4, `${thread.pace.waitMs(thread.nowMs)} ms`);
  });

  test("does not take waiting, or what came before a quiet time, for a handshake's cost", () => {
    const thread = new BusyThread();
    const alone = thread.handshakes(2_000, 1);
    thread.wait(60_000);
    thread.request();
    thread.nowMs += 5_000; // of work that has nothing to do with handshakes
    assert.ok(Math.abs(thread.handshakes(2_000, 1) - alone) < alone / 5);
  });

  test("begins some handshakes whatever else the thread does", () => {
    const thread = new BusyThread();
    const untilMs = thread.nowMs + 4_000;
    let begun = 0;
    while (thread.nowMs < untilMs) {
      thread.nowMs += 1; // that nobody accounts for
      thread.request();
      if (thread.pace.waitMs(thread.nowMs) > 0) continue;
      thread.pace.begin(thread.nowMs);
      begun += 1;
    }
    assert.ok(begun >= 4_000 / (5 * 4) - 10, String(begun));
  });

  test("makes up for timers that are late, and not for more than 50 ms", () => {
    const thread = new BusyThread();
    thread.handshakes(2_000, 1);
    thread.wait(10_000);
    let atOnce = 0;
    for (thread.request(); thread.pace.waitMs(thread.nowMs) === 0; thread.request()) {
      thread.pace.begin(thread.nowMs);
      atOnce += 1;
      thread.nowMs += 1;
    }
    assert.ok(atOnce > 5 && atOnce <= 50 / 3 + 1, String(atOnce));
  });

  test("takes a handshake for 1 ms where the system does not tell", () => {
    const pace = new HandshakePace(undefined);
    pace.begin(1_000);
    pace.requestsBegin(1_000);
    pace.requestsEnd(1_000, true);
    pace.begin(1_000);
    pace.requestsEnd(1_000, true);
    let nowMs = 1_000;
    let begun = 0;
    for (; nowMs < 2_000; nowMs += 0.5) {
      if (pace.waitMs(nowMs) > 0) continue;
      pace.begin(nowMs);
      pace.requestsEnd(nowMs, true);
      begun += 1;
    }
    assert.ok(begun >= 245 && begun <= 265, String(begun));
  });
});
