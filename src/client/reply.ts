import { FormatError } from "../errors/errors.ts";
import { OP_ERROR, OP_PING, OP_PONG, OP_RESPONSE, opcodeName } from "../protocol/opcodes.ts";
import { decodeOperation, type Operation } from "../protocol/operation.ts";
import { type Packet, VERSION_MAJOR } from "../protocol/packet.ts";

/**
 * What a packet answers to a request: a pong to a ping, a response to anything else, or an error,
 * whose payload is the one byte of its code.
 *
 * @throws FormatError for a packet that is none of these: "REPLY_BROKEN", or as `decodeOperation`
 */
export function readReply(packet: Packet, request: Operation): Operation {
  const reply = decodeOperation(packet.body);
  const { opcode, payload } = reply;
  if (opcode === OP_ERROR) {
    if (payload?.length === 1) return reply;
    throw new FormatError("REPLY_BROKEN", `an error of ${payload?.length ?? 0} bytes instead of 1`);
  }
  if (opcode === (request.opcode === OP_PING ? OP_PONG : OP_RESPONSE)) return reply;
  const name = opcode === undefined ? "no opcode" : opcodeName(opcode);
  throw new FormatError("REPLY_BROKEN", `${name} as the answer to packet ${packet.id}`);
}

/**
 * Judges a packet by its version, of which the first byte is enough: what is no packet at all may
 * never be as long as its header seems to say.
 *
 * @throws FormatError "REPLY_BROKEN"
 */
export function checkMajor(major: number): void {
  if (major === VERSION_MAJOR) return;
  throw new FormatError(
    "REPLY_BROKEN",
    `a packet of version ${major}; is it a key server that listens there?`,
  );
}
