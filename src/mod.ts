/**
 * The client of a Keyless SSL key server, for programs on Bun and on Deno.
 *
 * @example
 * ```ts
 * import { KeylessClient } from "keyless";
 *
 * const client = new KeylessClient({ host: "keys.example.net", certificate, key, ca });
 * const signature = await client.sign({ ski }, "ecdsa-sha256", digest);
 * client.close();
 * ```
 */
export { type ClientOptions, KeylessClient } from "./client/client.ts";
export type { RequestOptions } from "./client/call.ts";
export type { ConnectionLimits } from "./client/connection.ts";
export type { CredentialPems, Pem } from "./client/credentials.ts";
export { ServerError, type TransportCode, TransportError } from "./client/errors.ts";
export { describePublicKey, type PublicKeyInfo } from "./crypto/public_key.ts";
export { FormatError, KeylessError } from "./errors/errors.ts";
export { type ErrorCode, ERRORS } from "./errors/table.ts";
export type { KeyQuery } from "./keystore/keystore.ts";
export { WIRE_ERRORS, type WireError, wireErrorText } from "./protocol/errors.ts";
export {
  type Opcode,
  opcodeName,
  OPCODES,
  type SignOpcodeScheme as SignScheme,
} from "./protocol/opcodes.ts";
export type { Operation } from "./protocol/operation.ts";
