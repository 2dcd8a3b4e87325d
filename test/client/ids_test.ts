import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { freeId } from "../../src/client/ids.ts";

describe("freeId", () => {
  const cases: readonly [start: number, taken: number[][], free: number][] = [
    [1, [], 1],
    [1, [[1, 2], [3]], 4],
    [0xffff_ffff, [[]], 0xffff_ffff],
    [0xffff_ffff, [[0xffff_ffff], [0, 1]], 2],
    [0x1_0000_0000, [[]], 0],
  ];
  for (const [start, taken, free] of cases) {
    test(`gives ${free} from ${start} on where ${JSON.stringify(taken)} are taken`, () => {
      assert.equal(freeId(start, ...taken.map((ids) => new Set(ids))), free);
    });
  }
});
