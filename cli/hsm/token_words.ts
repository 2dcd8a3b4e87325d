import type { TokenInfo } from "../../src/hsm/module.ts";
import { TOKEN_FLAGS } from "../../src/hsm/token_flags.ts";

/** What an operator should know of a token, by its flags, in words: "login required". */
export function tokenWords({ flags }: TokenInfo): readonly string[] {
  const has = (flag: number) => (flags & flag) !== 0;
  if (!has(TOKEN_FLAGS.TOKEN_INITIALIZED)) return ["uninitialised"];
  return WORDS.filter(({ flag, isSet }) => has(flag) === isSet).map(({ word }) => word);
}

/** The same for programs: "login-required". */
export function tokenStates(token: TokenInfo): readonly string[] {
  return tokenWords(token).map((word) => word.toLowerCase().replaceAll(" ", "-"));
}

const WORDS: readonly { readonly flag: number; readonly isSet: boolean; readonly word: string }[] =
  [
    { flag: TOKEN_FLAGS.ERROR_STATE, isSet: true, word: "error state" },
    { flag: TOKEN_FLAGS.LOGIN_REQUIRED, isSet: true, word: "login required" },
    { flag: TOKEN_FLAGS.PROTECTED_AUTHENTICATION_PATH, isSet: true, word: "PIN pad" },
    { flag: TOKEN_FLAGS.USER_PIN_INITIALIZED, isSet: false, word: "no user PIN" },
    { flag: TOKEN_FLAGS.USER_PIN_COUNT_LOW, isSet: true, word: "PIN count low" },
    { flag: TOKEN_FLAGS.USER_PIN_FINAL_TRY, isSet: true, word: "PIN final try" },
    { flag: TOKEN_FLAGS.USER_PIN_LOCKED, isSet: true, word: "PIN locked" },
    { flag: TOKEN_FLAGS.USER_PIN_TO_BE_CHANGED, isSet: true, word: "PIN to be changed" },
    { flag: TOKEN_FLAGS.WRITE_PROTECTED, isSet: true, word: "write protected" },
  ];
