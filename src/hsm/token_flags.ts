/** CK_TOKEN_INFO's flags that an operator should know: pkcs11t.h. */
export const TOKEN_FLAGS = {
  WRITE_PROTECTED: 0x2,
  LOGIN_REQUIRED: 0x4,
  USER_PIN_INITIALIZED: 0x8,
  PROTECTED_AUTHENTICATION_PATH: 0x100,
  TOKEN_INITIALIZED: 0x400,
  USER_PIN_COUNT_LOW: 0x1_0000,
  USER_PIN_FINAL_TRY: 0x2_0000,
  USER_PIN_LOCKED: 0x4_0000,
  USER_PIN_TO_BE_CHANGED: 0x8_0000,
  ERROR_STATE: 0x100_0000,
} as const;

interface PinRefusal {
  readonly flag: number;
  readonly isSet: boolean;
  /** Follows the token's name. */
  readonly why: string;
}

/** Where no PIN is handed to a token, in this order: it would be of no use, or lock the token. */
export const PIN_REFUSALS: readonly PinRefusal[] = [
  {
    flag: TOKEN_FLAGS.TOKEN_INITIALIZED,
    isSet: false,
    why: "is not initialised; initialise it by its vendor's tool",
  },
  {
    flag: TOKEN_FLAGS.USER_PIN_INITIALIZED,
    isSet: false,
    why: "has no user PIN yet; set one by its vendor's tool",
  },
  {
    flag: TOKEN_FLAGS.USER_PIN_LOCKED,
    isSet: true,
    why: "is locked after wrong PINs; unlock it by its vendor's tool",
  },
  {
    flag: TOKEN_FLAGS.USER_PIN_FINAL_TRY,
    isSet: true,
    why:
      "has one try for its PIN left, which is not risked; log in by its vendor's tool, with the " +
      "right PIN, and start again",
  },
];
