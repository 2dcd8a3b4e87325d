import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const TESTS = fileURLToPath(new URL(".", import.meta.url));

/** What one runtime runs or counts and the other does not, and what to write instead. */
const UNEVEN: readonly [pattern: RegExp, instead: string][] = [
  [/\b(?:t|context)\.test\(/, "no subtests: Bun does not count them; use describe and test"],
  [/\b(?:t|context)\.(?:skip|todo)\(/, "Deno counts it as passed; give test the option skip"],
  [/\bdescribe\.(?:skip|todo)\b/, "Bun does not list its tests; skip the tests one by one"],
  [/\bdescribe\([^)]*\{\s*(?:skip|todo)\b/, "Bun does not list its tests; skip them one by one"],
  [/\b(?:test|it|describe)\.only\b|\bonly: true\b/, "it leaves all other tests out, on Deno alone"],
  [/from "bun:test"|\bDeno\.test\(/, "one runtime alone has it; import node:test"],
];

const files = readdirSync(TESTS, { withFileTypes: true, recursive: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith("_test.ts"))
  .map((entry) => join(entry.parentPath, entry.name))
  .filter((path) => !path.endsWith("conventions_test.ts"));

test("no test file uses what only one runtime runs or counts", () => {
  assert.ok(files.length > 0);
  const found = files.flatMap((path) => unevenUses(path, readFileSync(path, "utf8")));
  assert.deepEqual(found, []);
});

test("the rule finds each of them", () => {
  const uses = [
    'test("a", async (t) => { await t.test("b", () => {}); });',
    'test("a", (t) => { t.skip("c"); });',
    'describe.skip("a", () => {});',
    'describe("a", {\n  skip: true }, () => {});',
    'test.only("a", () => {});',
    'import { test } from "bun:test";',
  ];
  assert.deepEqual(uses.map((use) => unevenUses("x", use).length), [1, 1, 1, 1, 1, 1]);
  assert.deepEqual(unevenUses("x", 'test("a", { skip: "no openssl" }, () => {});'), []);
});

function unevenUses(path: string, source: string): readonly string[] {
  return UNEVEN.flatMap(([pattern, instead]) => {
    const use = pattern.exec(source)?.[0];
    return use === undefined ? [] : [`${path}: ${use}: ${instead}`];
  });
}
