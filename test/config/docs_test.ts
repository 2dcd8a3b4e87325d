import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { CONFIGURATION_PAGE, configurationPage } from "../../scripts/docs.ts";
import { SETTING_KEYS } from "../../src/config/settings.ts";

test("docs/configuration.md is what the table says: run `deno task docs` where this fails", () => {
  assert.equal(readFileSync(CONFIGURATION_PAGE, "utf8"), configurationPage());
});

test("the page has one row for every setting", () => {
  for (const key of SETTING_KEYS) {
    const rows = configurationPage().split("\n").filter((line) =>
      line.startsWith(`| \`${key}\` |`)
    );
    assert.equal(rows.length, 1, key);
    assert.equal(rows[0]?.split("|").length, 8, rows[0]);
  }
});
