import { type Attributes, type SpanStatus, SpanStatusCode } from "@opentelemetry/api";
import { toHex } from "../../bytes/hex.ts";
import { printable } from "../../errors/printable.ts";
import { WIRE_ERRORS, type WireError } from "../../protocol/errors.ts";
import { opcodeName } from "../../protocol/opcodes.ts";
import type { Operation } from "../../protocol/operation.ts";
import type { LoggedClient } from "../server_log.ts";

/**
 * What a trace says of a request: OpenTelemetry's names where it has some, our own where it has none.
 * Names and identities alone, printable and of bounded length; nothing of the payload.
 */
export function requestAttributes(operation: Operation, client: LoggedClient): Attributes {
  const { opcode, ski, serverName } = operation;
  return {
    "rpc.system.name": "keyless",
    "rpc.method": requestName(operation),
    ...clientAddress(client.address),
    "keyless.client": printable(client.name, MAX_NAME_LENGTH),
    ...(opcode === undefined ? {} : { "keyless.opcode": opcode }),
    ...(ski === undefined ? {} : { "keyless.ski": toHex(ski.subarray(0, MAX_SKI_BYTES)) }),
    ...(serverName === undefined ? {} : { "keyless.sni": printable(serverName, MAX_NAME_LENGTH) }),
  };
}

/** The name of a request's span: the opcode's, as metrics and the log have it. */
export function requestName({ opcode }: Operation): string {
  return opcode === undefined ? "no opcode" : opcodeName(opcode);
}

/** What a trace says of a request that failed; nothing for one that did not. */
export function errorAttributes(error: WireError): Attributes {
  if (error === WIRE_ERRORS.NONE) return {};
  return { "error.type": error.text, "keyless.error": error.code };
}

export function statusOf(error: WireError, reason: string | undefined): SpanStatus {
  if (error === WIRE_ERRORS.NONE) return { code: SpanStatusCode.UNSET };
  return { code: SpanStatusCode.ERROR, message: printable(reason ?? error.text, MAX_NAME_LENGTH) };
}

/** "192.0.2.1:41234", "[2001:db8::1]:41234", "unix:/run/keyless.sock". */
function clientAddress(address: string): Attributes {
  const tcp = /^\[?(.+?)\]?:(\d+)$/.exec(address);
  if (tcp === null) return { "client.address": printable(address, MAX_NAME_LENGTH) };
  return { "client.address": printable(tcp[1]!, MAX_NAME_LENGTH), "client.port": Number(tcp[2]) };
}

const MAX_NAME_LENGTH = 256;

/** A SKI has 20 bytes; a wrong one is shown to a little more. */
const MAX_SKI_BYTES = 32;
