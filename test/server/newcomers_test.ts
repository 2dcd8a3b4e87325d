import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type Newcomer, Newcomers } from "../../src/server/newcomers.ts";

function newcomerOf(source: string): Newcomer {
  const socket = new EventEmitter() as unknown as Socket;
  return { socket, source, begin() {}, cut() {} };
}

/** What is there, as a list that is searched: the oldest first. */
class Model {
  readonly list: Newcomer[] = [];

  countOf(source: string): number {
    return this.list.filter((each) => each.source === source).length;
  }

  delete(newcomer: Newcomer): void {
    this.list.splice(this.list.indexOf(newcomer), 1);
  }

  isNewestOfItsSource(newcomer: Newcomer): boolean {
    return this.list.findLast(({ source }) => source === newcomer.source) === newcomer;
  }

  isOldestOfItsSource(newcomer: Newcomer): boolean {
    return this.list.find(({ source }) => source === newcomer.source) === newcomer;
  }
}

const step = fc.oneof(
  fc.record({ do: fc.constant("add"), source: fc.constantFrom("a", "b", "c", "d") }),
  fc.record({ do: fc.constant("add"), source: fc.constant("flood") }),
  fc.record({ do: fc.constantFrom("take", "cut", "delete"), at: fc.nat(50) }),
);

describe("newcomers", () => {
  test("are found by age, source and number in any order of coming and going", () => {
    fc.assert(fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const [newcomers, model] = [new Newcomers(), new Model()];
      steps.forEach((each, sinceMs) => {
        const { list } = model;
        if ("source" in each) {
          const newcomer = newcomerOf(each.source);
          newcomers.add(newcomer, sinceMs);
          list.push(newcomer);
        } else if (each.do === "take") {
          const next = newcomers.takeNext();
          assert.equal(next === undefined, list.length === 0);
          if (next === undefined) return;
          assert.ok(model.isNewestOfItsSource(next));
          model.delete(next);
        } else if (list.length > 0) {
          const one = each.do === "cut" ? newcomers.oldestOfFullest! : list[each.at % list.length]!;
          assert.equal(newcomers.delete(one), true);
          assert.equal(newcomers.delete(one), false);
          model.delete(one);
        }
        assert.equal(newcomers.size, list.length);
        assert.equal(newcomers.oldest?.newcomer, list[0]);
        const fullest = newcomers.oldestOfFullest;
        assert.equal(fullest === undefined, list.length === 0);
        if (fullest === undefined) return;
        assert.ok(model.isOldestOfItsSource(fullest));
        const most = Math.max(...list.map(({ source }) => model.countOf(source)));
        assert.equal(model.countOf(fullest.source), most);
      });
    }));
  });

  test("of every source are taken within twice as many turns as there are sources", () => {
    const newcomers = new Newcomers();
    for (let source = 0; source < 20; source++) newcomers.add(newcomerOf(`${source}`), source);
    const taken = new Set<string>();
    for (let turn = 0; turn < 40; turn++) {
      newcomers.add(newcomerOf("flood"), 100 + turn);
      taken.add(newcomers.takeNext()!.source);
    }
    assert.equal(taken.size, 21);
  });

  test("that come last are not behind all others, where each has a source of its own", () => {
    const newcomers = new Newcomers();
    for (let source = 0; source < 1_000; source++) newcomers.add(newcomerOf(`${source}`), source);
    const last = newcomerOf("last");
    newcomers.add(last, 1_000);
    assert.ok([newcomers.takeNext(), newcomers.takeNext()].includes(last));
  });

  test("cost the same where ten thousand have gone before them", () => {
    const newcomers = new Newcomers();
    for (let count = 0; count < 20_000; count++) newcomers.add(newcomerOf(`${count}`), count);
    const beganMs = performance.now();
    for (let count = 0; count < 20_000; count++) {
      newcomers.delete(newcomers.oldestOfFullest!);
      newcomers.add(newcomerOf(`${count % 100}`), count);
      newcomers.takeNext();
      newcomers.add(newcomerOf(`${count}`), count);
    }
    const lastedMs = performance.now() - beganMs;
    assert.ok(lastedMs < 2_000, `80,000 steps took ${lastedMs} ms`);
  });
});
