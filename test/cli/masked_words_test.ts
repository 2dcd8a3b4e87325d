import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { maskedWords } from "../../cli/masked_words.ts";

describe("maskedWords", () => {
  const cases: readonly [what: string, words: string[], shown: string[]][] = [
    ["plain words", ["serve", "--port", "0", "-l", "2"], ["serve", "--port", "0", "-l", "2"]],
    ["a secret after its flag", ["--origin-ca-api-key", "v1.0-abc"], [
      "--origin-ca-api-key",
      "********",
    ]],
    ["a secret behind =", ["--origin-ca-api-key=v1.0=abc"], ["--origin-ca-api-key=********"]],
    ["a flag with underscores", ["--origin_ca_api_key", "abc"], [
      "--origin_ca_api_key",
      "********",
    ]],
    [
      "a URL's password",
      ["--metrics-url", "https://me:pw@push.example/x"],
      ["--metrics-url", "https://********@push.example/x"],
    ],
    ["no value", ["--enable-pprof", "--dev"], ["--enable-pprof", "--dev"]],
  ];
  for (const [what, words, shown] of cases) {
    test(`shows ${what}`, () => assert.deepEqual(maskedWords(words), shown));
  }
});
