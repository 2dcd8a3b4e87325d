import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { tokenStates, tokenWords } from "../../../cli/hsm/token_words.ts";
import type { TokenInfo } from "../../../src/hsm/module.ts";
import { TOKEN_FLAGS } from "../../../src/hsm/token_flags.ts";

const READY = TOKEN_FLAGS.TOKEN_INITIALIZED | TOKEN_FLAGS.USER_PIN_INITIALIZED;
const withFlags = (flags: number) => ({ flags }) as TokenInfo;

const CASES: readonly [flags: number, words: readonly string[]][] = [
  [0, ["uninitialised"]],
  [TOKEN_FLAGS.LOGIN_REQUIRED, ["uninitialised"]],
  [READY, []],
  [READY | TOKEN_FLAGS.LOGIN_REQUIRED, ["login required"]],
  [TOKEN_FLAGS.TOKEN_INITIALIZED, ["no user PIN"]],
  [READY | TOKEN_FLAGS.USER_PIN_COUNT_LOW, ["PIN count low"]],
  [READY | TOKEN_FLAGS.USER_PIN_FINAL_TRY, ["PIN final try"]],
  [READY | TOKEN_FLAGS.USER_PIN_LOCKED, ["PIN locked"]],
  [READY | TOKEN_FLAGS.USER_PIN_TO_BE_CHANGED, ["PIN to be changed"]],
  [READY | TOKEN_FLAGS.WRITE_PROTECTED, ["write protected"]],
  [READY | TOKEN_FLAGS.ERROR_STATE, ["error state"]],
  [READY | TOKEN_FLAGS.PROTECTED_AUTHENTICATION_PATH, ["PIN pad"]],
];

describe("tokenWords", () => {
  for (const [flags, words] of CASES) {
    test(`says ${words.join(", ") || "nothing"} of 0x${flags.toString(16)}`, () => {
      assert.deepEqual(tokenWords(withFlags(flags)), words);
    });
  }

  test("are hyphenated for programs", () => {
    const flags = READY | TOKEN_FLAGS.LOGIN_REQUIRED | TOKEN_FLAGS.USER_PIN_COUNT_LOW;
    assert.deepEqual(tokenStates(withFlags(flags)), ["login-required", "pin-count-low"]);
  });
});
