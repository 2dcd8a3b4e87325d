/**
 * The error codes of the wire, once: the byte, and the text that the reference gives it, which is
 * also the `error` label of the metrics. Source: the protocol page, "byte | text".
 */
export const WIRE_ERRORS = {
  NONE: { code: 0, text: "no error" },
  CRYPTOGRAPHY: { code: 1, text: "cryptography error" },
  KEY_NOT_FOUND: { code: 2, text: "key not found due to no matching SKI/SNI/ServerIP" },
  READ: { code: 3, text: "read failure" },
  VERSION: { code: 4, text: "version mismatch" },
  BAD_OPCODE: { code: 5, text: "bad opcode" },
  UNEXPECTED_OPCODE: { code: 6, text: "unexpected opcode" },
  FORMAT: { code: 7, text: "malformed message" },
  INTERNAL: { code: 8, text: "internal error" },
  CERTIFICATE_NOT_FOUND: { code: 9, text: "certificate not found" },
  EXPIRED: { code: 10, text: "sealing key expired" },
  REMOTE_CONFIGURATION: { code: 11, text: "remote configuration error" },
} as const;

export type WireError = (typeof WIRE_ERRORS)[keyof typeof WIRE_ERRORS];

/** The text of an error byte; one that the table lacks is an "unknown error". */
export function wireErrorText(code: number): string {
  return TEXTS[code] ?? "unknown error";
}

const TEXTS: readonly (string | undefined)[] = Object.values(WIRE_ERRORS).map((row) => row.text);
