import { KeylessError } from "../errors/errors.ts";
import { quoted } from "../errors/printable.ts";

/**
 * The opcodes of the wire, once: the byte, the name that metrics and logs give it, the coarser `type`
 * label, what kind of request it is, and the scheme of those that use a private key.
 *
 * Sources: the protocol page; the metrics page, "opcode label" and "`type` label".
 */
export const OPCODES = [
  { code: 0x01, name: "OpRSADecrypt", type: "rsa", kind: "decrypt", scheme: "rsa-decrypt" },
  { code: 0x02, name: "OpRSASignMD5SHA1", type: "rsa", kind: "sign", scheme: "rsa-md5sha1" },
  { code: 0x03, name: "OpRSASignSHA1", type: "rsa", kind: "sign", scheme: "rsa-sha1" },
  { code: 0x04, name: "OpRSASignSHA224", type: "rsa", kind: "sign", scheme: "rsa-sha224" },
  { code: 0x05, name: "OpRSASignSHA256", type: "rsa", kind: "sign", scheme: "rsa-sha256" },
  { code: 0x06, name: "OpRSASignSHA384", type: "rsa", kind: "sign", scheme: "rsa-sha384" },
  { code: 0x07, name: "OpRSASignSHA512", type: "rsa", kind: "sign", scheme: "rsa-sha512" },
  { code: 0x35, name: "OpRSAPSSSignSHA256", type: "rsa", kind: "sign", scheme: "rsa-pss-sha256" },
  { code: 0x36, name: "OpRSAPSSSignSHA384", type: "rsa", kind: "sign", scheme: "rsa-pss-sha384" },
  { code: 0x37, name: "OpRSAPSSSignSHA512", type: "rsa", kind: "sign", scheme: "rsa-pss-sha512" },
  { code: 0x12, name: "OpECDSASignMD5SHA1", type: "ecdsa", kind: "sign", scheme: "ecdsa-md5sha1" },
  { code: 0x13, name: "OpECDSASignSHA1", type: "ecdsa", kind: "sign", scheme: "ecdsa-sha1" },
  { code: 0x14, name: "OpECDSASignSHA224", type: "ecdsa", kind: "sign", scheme: "ecdsa-sha224" },
  { code: 0x15, name: "OpECDSASignSHA256", type: "ecdsa", kind: "sign", scheme: "ecdsa-sha256" },
  { code: 0x16, name: "OpECDSASignSHA384", type: "ecdsa", kind: "sign", scheme: "ecdsa-sha384" },
  { code: 0x17, name: "OpECDSASignSHA512", type: "ecdsa", kind: "sign", scheme: "ecdsa-sha512" },
  { code: 0x18, name: "OpEd25519Sign", type: "ed25519", kind: "sign", scheme: "ed25519" },
  { code: 0x21, name: "OpSeal", type: "other", kind: "seal" },
  { code: 0x22, name: "OpUnseal", type: "other", kind: "unseal" },
  { code: 0x23, name: "OpRPC", type: "rpc", kind: "rpc" },
  { code: 0x24, name: "OpCustom", type: "custom", kind: "custom" },
  { code: 0xf0, name: "OpResponse", type: "other", kind: "reply" },
  { code: 0xf1, name: "OpPing", type: "other", kind: "ping" },
  { code: 0xf2, name: "OpPong", type: "other", kind: "reply" },
  { code: 0xff, name: "OpError", type: "other", kind: "reply" },
] as const;

export type Opcode = (typeof OPCODES)[number];
export type OpcodeKind = Opcode["kind"];

/** The schemes of all opcodes that use a private key. */
export type OpcodeScheme = Extract<Opcode, { readonly scheme: string }>["scheme"];
export type SignOpcodeScheme = Extract<Opcode, { readonly kind: "sign" }>["scheme"];

export const OP_PING = 0xf1;
export const OP_PONG = 0xf2;
export const OP_RESPONSE = 0xf0;
export const OP_ERROR = 0xff;

/** The row of an opcode byte; undefined for one that the protocol does not know. */
export function opcodeOf(code: number): Opcode | undefined {
  return OPCODE_OF_BYTE[code];
}

/**
 * The row of the opcode that asks for a scheme.
 *
 * @throws KeylessError "USAGE" for a scheme that there is none for
 */
export function opcodeOfScheme(scheme: OpcodeScheme): Opcode {
  const row = OPCODE_OF_SCHEME.get(scheme);
  if (row !== undefined) return row;
  const known = [...OPCODE_OF_SCHEME.keys()].join(", ");
  throw new KeylessError("USAGE", `${quoted(String(scheme))} is no scheme; give one of ${known}`);
}

/** The name of an opcode byte for logs and messages. */
export function opcodeName(code: number): string {
  return OPCODE_OF_BYTE[code]?.name ?? `unknown opcode 0x${code.toString(16).padStart(2, "0")}`;
}

/** The `type` label of an opcode byte. */
export function opcodeType(code: number): Opcode["type"] | "unknown" {
  return OPCODE_OF_BYTE[code]?.type ?? "unknown";
}

const OPCODE_OF_BYTE: readonly (Opcode | undefined)[] = Array.from(
  { length: 0x100 },
  (_, code) => OPCODES.find((row) => row.code === code),
);

const OPCODE_OF_SCHEME: ReadonlyMap<string, Opcode> = new Map(
  OPCODES.flatMap((row) => "scheme" in row ? [[row.scheme, row] as const] : []),
);
