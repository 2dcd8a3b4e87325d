import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ERRORS_PAGE, errorsPage } from "../../scripts/docs.ts";
import { ERRORS, EXIT, EXIT_MEANINGS } from "../../src/errors/table.ts";

test("docs/errors.md is what the table says: run `deno task docs` where this fails", () => {
  assert.equal(readFileSync(ERRORS_PAGE, "utf8"), errorsPage());
});

test("the page has a row for every error code and every exit code", () => {
  const lines = errorsPage().split("\n");
  for (const [code, row] of Object.entries(ERRORS)) {
    assert.equal(
      lines.filter((line) => line === `| \`${code}\` | ${row.exit} | ${row.meaning} |`).length,
      1,
    );
  }
  for (const exit of Object.values(EXIT)) {
    assert.ok(lines.includes(`| ${exit} | ${EXIT_MEANINGS[exit]} |`));
  }
});
