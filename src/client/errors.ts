import { toHex } from "../bytes/hex.ts";
import { KeylessError } from "../errors/errors.ts";
import type { ErrorCode } from "../errors/table.ts";
import { wireErrorText } from "../protocol/errors.ts";

/** The server answered with an error code. Such an answer is final: it is never asked again. */
export class ServerError extends KeylessError {
  override readonly name = "ServerError";
  declare readonly code: "SERVER_ERROR";
  /** The byte of the protocol's error table. */
  readonly wireCode: number;

  /** @param ski of the key that was asked for */
  constructor(wireCode: number, server: string, ski?: Uint8Array) {
    const key = ski === undefined ? "" : ` (SKI ${toHex(ski)})`;
    const text = `${server} answered error ${wireCode}: ${wireErrorText(wireCode)}${key}`;
    super("SERVER_ERROR", text);
    this.wireCode = wireCode;
  }
}

/** What can go wrong between here and the server; worth a second attempt on a new connection. */
export type TransportCode = Extract<
  ErrorCode,
  "RESOLVE" | "CONNECT" | "TLS_REFUSED" | "CONNECTION_LOST" | "REPLY_BROKEN"
>;

/**
 * The request got no answer because of what lies between here and the server. `cause` is the
 * runtime's own error where there was one.
 */
export class TransportError extends KeylessError {
  override readonly name = "TransportError";
  declare readonly code: TransportCode;

  constructor(code: TransportCode, message: string, options?: ErrorOptions) {
    super(code, message, options);
  }
}
