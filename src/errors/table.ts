/**
 * Every error that this program reports, once: its stable code, the exit code of a command that
 * ends with it, and what it means. `docs/errors.md` and `--help` derive from this table.
 */

/** Exit codes of every command (a Nagios-style check documents its own). */
export const EXIT = {
  OK: 0,
  CHECK_FAILED: 1,
  USAGE: 2,
  CANNOT_CONNECT: 3,
  TLS_REFUSED: 4,
  SERVER_ERROR: 5,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** What each exit code says, for `--help` and the documentation. */
export const EXIT_MEANINGS: Readonly<Record<ExitCode, string>> = {
  [EXIT.OK]: "ok",
  [EXIT.CHECK_FAILED]: "the check failed",
  [EXIT.USAGE]: "usage or configuration",
  [EXIT.CANNOT_CONNECT]: "cannot connect",
  [EXIT.TLS_REFUSED]: "TLS refused",
  [EXIT.SERVER_ERROR]: "the server answered an error",
};

interface ErrorRow {
  readonly exit: ExitCode;
  readonly meaning: string;
}

export const ERRORS = {
  // bytes on the wire
  SHORT: { exit: EXIT.SERVER_ERROR, meaning: "the bytes end before the value that they announce" },
  TRAILING: { exit: EXIT.SERVER_ERROR, meaning: "bytes are left over after the last value" },
  TOO_LONG: { exit: EXIT.USAGE, meaning: "a value does not fit the field that carries it" },
  ITEM_REPEATED: { exit: EXIT.SERVER_ERROR, meaning: "an item stands twice in a packet" },
  ITEM_LENGTH: { exit: EXIT.SERVER_ERROR, meaning: "an item has a length that its tag forbids" },
  FRAMER_FULL: {
    exit: EXIT.SERVER_ERROR,
    meaning: "more bytes wait for decoding than may be held",
  },

  // usage and configuration
  USAGE: { exit: EXIT.USAGE, meaning: "the command line cannot be understood" },
  CONFIG_FILE: { exit: EXIT.USAGE, meaning: "a configuration file cannot be read or is no YAML" },
  CONFIG_VALUE: { exit: EXIT.USAGE, meaning: "a configuration value is not of its kind" },
  CONFIG_UNKNOWN: { exit: EXIT.USAGE, meaning: "a configuration key is not known" },
  CONFIG_NOT_YET: { exit: EXIT.USAGE, meaning: "a feature that this version does not have yet" },
  DEV_DIRECTORY: { exit: EXIT.USAGE, meaning: "the directory of --dev cannot be used or made" },
  FILE_READ: { exit: EXIT.USAGE, meaning: "a file that was named cannot be read" },
  FILE_WRITE: { exit: EXIT.USAGE, meaning: "a file that was named cannot be written" },

  // keys and engines
  KEY_FORMAT: { exit: EXIT.USAGE, meaning: "a file holds no private key that can be read" },
  KEY_PASSPHRASE: {
    exit: EXIT.USAGE,
    meaning: "an encrypted key lacks its passphrase, or it is wrong",
  },
  KEY_WEAK: { exit: EXIT.USAGE, meaning: "a key is shorter than is safe" },
  KEY_UNSUPPORTED: { exit: EXIT.USAGE, meaning: "the engine cannot use this kind of key" },
  ENGINE_MISSING: {
    exit: EXIT.USAGE,
    meaning: "the crypto engine that was asked for is not there",
  },
  KEY_MISMATCH: {
    exit: EXIT.USAGE,
    meaning: "a certificate and a private key do not belong together",
  },
  CERTIFICATE_FORMAT: { exit: EXIT.USAGE, meaning: "a file holds no certificate that can be read" },
  SIGN_REFUSED: {
    exit: EXIT.CHECK_FAILED,
    meaning: "the request does not fit the key or the scheme",
  },
  SIGN_FAILED: {
    exit: EXIT.CHECK_FAILED,
    meaning: "the engine failed in the middle of an operation",
  },
  THREAD_LOST: {
    exit: EXIT.CHECK_FAILED,
    meaning: "the signing threads that had a request ended, one after the other",
  },
  KEY_WITHDRAWN: {
    exit: EXIT.CHECK_FAILED,
    meaning: "a key is used no more: its signatures do not verify, or its store is closed",
  },
  KEY_NOT_FOUND: { exit: EXIT.CHECK_FAILED, meaning: "no key is known by this identifier" },

  // PKCS#11
  HSM_URI: { exit: EXIT.USAGE, meaning: "a PKCS#11 URI cannot be understood" },
  HSM_MODULE: {
    exit: EXIT.USAGE,
    meaning: "a PKCS#11 module is not there, is none, or its process cannot be started",
  },
  HSM_TOKEN: { exit: EXIT.USAGE, meaning: "no token fits a PKCS#11 URI, or several do" },
  HSM_PIN: {
    exit: EXIT.USAGE,
    meaning: "a token's PIN is missing, refused or locked",
  },
  HSM_KEY: {
    exit: EXIT.USAGE,
    meaning: "no key fits a PKCS#11 URI, several do, or it cannot be used",
  },
  HSM_BUSY: {
    exit: EXIT.CHECK_FAILED,
    meaning: "all sessions of a PKCS#11 token were in use for too long",
  },
  HSM_FAILED: { exit: EXIT.CHECK_FAILED, meaning: "a PKCS#11 module refused a call, or failed" },

  // output
  OUTPUT: { exit: EXIT.CHECK_FAILED, meaning: "standard output takes no more: a full disk, say" },

  // server
  PID_FILE: { exit: EXIT.USAGE, meaning: "the file for the process id cannot be written" },
  LISTEN: { exit: EXIT.USAGE, meaning: "an address or socket cannot be listened on" },
  DRAIN_CUT: {
    exit: EXIT.CHECK_FAILED,
    meaning: "requests were cut when the shutdown deadline passed",
  },

  // client
  RESOLVE: { exit: EXIT.CANNOT_CONNECT, meaning: "a host name has no address" },
  CONNECT: { exit: EXIT.CANNOT_CONNECT, meaning: "the server cannot be reached" },
  CONNECTION_LOST: { exit: EXIT.CANNOT_CONNECT, meaning: "the connection ended before the answer" },
  DEADLINE: { exit: EXIT.CANNOT_CONNECT, meaning: "the answer did not come in time" },
  ABORTED: { exit: EXIT.CANNOT_CONNECT, meaning: "the caller gave the request up" },
  QUEUE_FULL: {
    exit: EXIT.CANNOT_CONNECT,
    meaning: "as many requests wait as may",
  },
  TLS_REFUSED: { exit: EXIT.TLS_REFUSED, meaning: "one side does not accept the other's TLS" },
  REPLY_BROKEN: { exit: EXIT.SERVER_ERROR, meaning: "the server's bytes are not the protocol" },
  SERVER_ERROR: { exit: EXIT.SERVER_ERROR, meaning: "the server answered with an error code" },
  CHECK_FAILED: { exit: EXIT.CHECK_FAILED, meaning: "what was checked is not as it should be" },

  // ourselves
  INTERNAL: { exit: EXIT.CHECK_FAILED, meaning: "a defect of this program; please report it" },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;
