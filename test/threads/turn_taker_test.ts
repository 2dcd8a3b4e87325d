import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { PrivateKey } from "../../src/crypto/engine.ts";
import { createSigningMemory } from "../../src/threads/signing_memory.ts";
import { SigningQueue } from "../../src/threads/signing_queue.ts";
import { FakeSigningThread } from "../support/fake_signing_thread.ts";
import { contextOf } from "../support/request_context.ts";

const KEY = { info: { type: "rsa", bits: 2_048 }, handle: 7 } as unknown as PrivateKey;
const RARE_KEY = { ...KEY, handle: 9 } as unknown as PrivateKey;
const DIGEST = new Uint8Array(32);

interface Load {
  readonly loop: number;
  readonly connections: number;
  /** Of each connection, at any time. */
  readonly outstanding: number;
  readonly costMs: number;
}

/** Queues on several event loops, before signing threads of which each takes a turn in its turn. */
class Simulation {
  readonly queues: readonly SigningQueue[];
  readonly #threads: readonly FakeSigningThread[];
  #isOver = false;

  constructor(loops: number, threads: number) {
    const memory = createSigningMemory(loops, threads);
    this.queues = Array.from({ length: loops }, (_, loop) => new SigningQueue(memory, loop));
    this.#threads = Array.from(
      { length: threads },
      (_, place) => new FakeSigningThread(memory, place),
    );
  }

  /** @returns how many answers each connection has had so far */
  start({ loop, connections, outstanding, costMs }: Load): number[] {
    const answers = new Array<number>(connections).fill(0);
    for (const connection of answers.keys()) {
      const context = contextOf();
      const ask = async () => {
        while (!this.#isOver) {
          await this.queues[loop]!.sign(KEY, "rsa-sha256", DIGEST, costMs, context);
          answers[connection]! += 1;
        }
      };
      for (let count = 0; count < outstanding; count++) ask().catch(() => {}); // `end` cuts them
    }
    return answers;
  }

  /** Every thread carries so many turns out. */
  async run(turns: number): Promise<void> {
    for (let turn = 0; turn < turns; turn++) {
      for (const thread of this.#threads) await thread.takeNext();
      for (const thread of this.#threads) thread.answer();
      await nextTurn();
    }
  }

  end(): void {
    this.#isOver = true;
    for (const queue of this.queues) queue.close();
  }
}

const cases: readonly [what: string, loads: readonly Load[]][] = [
  ["15 connections of one event loop and 1 of another, RSA-2048", [
    { loop: 0, connections: 15, outstanding: 4, costMs: 0.25 },
    { loop: 1, connections: 1, outstanding: 4, costMs: 0.25 },
  ]],
  ["the same, where the one has 64 requests outstanding", [
    { loop: 0, connections: 15, outstanding: 4, costMs: 0.25 },
    { loop: 1, connections: 1, outstanding: 64, costMs: 0.25 },
  ]],
  ["11 and 5, RSA-4096", [
    { loop: 0, connections: 11, outstanding: 4, costMs: 4 },
    { loop: 1, connections: 5, outstanding: 4, costMs: 4 },
  ]],
  ["turns of one request on one event loop, of four on another", [
    { loop: 0, connections: 4, outstanding: 40, costMs: 2 },
    { loop: 1, connections: 4, outstanding: 40, costMs: 0.25 },
  ]],
  ["9, 4 and 3 of three event loops", [
    { loop: 0, connections: 9, outstanding: 4, costMs: 0.25 },
    { loop: 1, connections: 4, outstanding: 4, costMs: 0.25 },
    { loop: 2, connections: 3, outstanding: 4, costMs: 0.25 },
  ]],
];

describe("signing threads give connections equal shares:", () => {
  for (const [what, loads] of cases) {
    test(what, { timeout: 20_000 }, async () => {
      const simulation = new Simulation(loads.length, 2);
      const answers = loads.map((load) => simulation.start(load));
      await simulation.run(200);
      simulation.end();
      const shares = answers.flat();
      const mean = shares.reduce((sum, count) => sum + count, 0) / shares.length;
      for (const share of shares) {
        assert.ok(Math.abs(share - mean) <= mean * 0.3, `${shares.join(" ")}, ${mean} on average`);
      }
    });
  }

  test("a thread alone with an event loop that asks for nothing serves the other", async () => {
    const simulation = new Simulation(3, 1);
    const [answered] = [simulation.start({ loop: 2, connections: 1, outstanding: 1, costMs: 5 })];
    await simulation.run(20);
    simulation.end();
    assert.equal(answered[0], 20);
  });
});

describe("a key that one connection asks for, beside one that all ask for", () => {
  for (const [loops, connections] of [[1, 200], [2, 100], [4, 100]] as const) {
    test(`waits for a few turns, on ${loops} event loops of ${connections} connections`, async () => {
      const simulation = new Simulation(loops, 1);
      for (let loop = 0; loop < loops; loop++) {
        simulation.start({ loop, connections, outstanding: 1, costMs: 1 });
      }
      await simulation.run(30);
      for (let probe = 0; probe < 20; probe++) {
        const queue = simulation.queues[probe % loops]!;
        let isAnswered = false;
        queue.sign(RARE_KEY, "rsa-sha256", DIGEST, 1, contextOf()).then(() => isAnswered = true);
        let turns = 0;
        for (; !isAnswered; turns++) await simulation.run(1);
        assert.ok(turns <= 3 + 4 * loops, `${turns} turns`);
        await simulation.run(7 + probe);
      }
      simulation.end();
    });
  }
});

test("an event loop that asked for nothing for a while has saved nothing up", async () => {
  const simulation = new Simulation(2, 1);
  const first = simulation.start({ loop: 0, connections: 4, outstanding: 4, costMs: 1 });
  await simulation.run(200);
  const served = first.reduce((sum, count) => sum + count, 0);
  const second = simulation.start({ loop: 1, connections: 4, outstanding: 4, costMs: 1 });
  await simulation.run(40);
  simulation.end();
  const shares = [first.reduce((sum, count) => sum + count, 0) - served];
  shares.push(second.reduce((sum, count) => sum + count, 0));
  for (const share of shares) assert.ok(Math.abs(share - 20) <= 4, shares.join(" "));
});

describe("a newcomer on another event loop", () => {
  const simulation = new Simulation(2, 1);
  after(() => simulation.end());

  test("waits for no more turns than there are connections", async () => {
    simulation.start({ loop: 0, connections: 3, outstanding: 100, costMs: 1 });
    await simulation.run(10);
    let isAnswered = false;
    const one = simulation.queues[1]!.sign(KEY, "rsa-sha256", DIGEST, 1, contextOf());
    one.then(() => isAnswered = true);
    await simulation.run(4);
    assert.ok(isAnswered);
  });
});
