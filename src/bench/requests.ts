import { Buffer } from "node:buffer";
import { constants, createPublicKey, publicEncrypt, randomBytes } from "node:crypto";
import { modulusBytes } from "../crypto/check_fit.ts";
import type { PublicKeyInfo } from "../crypto/public_key.ts";
import type { SignScheme } from "../crypto/scheme.ts";
import { digestOf, verifySignature } from "../crypto/verify.ts";
import { KeylessError } from "../errors/errors.ts";
import { OP_PING, OP_PONG, OP_RESPONSE, opcodeOfScheme } from "../protocol/opcodes.ts";
import type { Operation } from "../protocol/operation.ts";
import { encodePacket } from "../protocol/packet.ts";
import type { OperationName } from "./mix.ts";

/** A key that the server has. */
export interface BenchKey {
  /** As it is called in messages: a file's name, or the SKI. */
  readonly label: string;
  readonly ski: Uint8Array;
  /** Undefined where the SKI alone is known: nothing can be verified then. */
  readonly info: PublicKeyInfo | undefined;
}

/** One request that is sent again and again, and what its answer must be. */
export interface BenchRequest {
  readonly key: BenchKey | undefined;
  readonly operation: Operation;
  /** Whether an answer's payload is right; undefined where that cannot be told here. */
  readonly isRight: (payload: Uint8Array) => boolean | undefined;
}

/** A packet in a form that is quick to send: it ends in zeros, and only its id changes. */
export interface PacketForm {
  /** The packet as far as it is not zero; the id's place holds 0. */
  readonly head: Uint8Array;
  readonly packetBytes: number;
}

/** @param key undefined for a ping; of the type that the operation needs; RSA decryption needs `info` */
export function createRequest(name: OperationName, key: BenchKey | undefined): BenchRequest {
  if (name === "ping" || key === undefined) {
    const payload = randomBytes(MESSAGE_BYTES);
    const isRight = (answer: Uint8Array) => payload.equals(answer);
    return { key: undefined, operation: { opcode: OP_PING, payload }, isRight };
  }
  const { ski, info } = key;
  const fields = { opcode: opcodeOfScheme(name).code, ski, digest: info?.digest };
  if (name === "rsa-decrypt") {
    const { plain, block } = decryption(info!);
    const isRight = (answer: Uint8Array) => plain.equals(answer);
    return { key, operation: { ...fields, payload: block }, isRight };
  }
  const message = new Uint8Array(randomBytes(MESSAGE_BYTES));
  return {
    key,
    operation: { ...fields, payload: digestOf(name, message) },
    isRight: (signature) => info && verified(info, name, message, signature),
  };
}

export function packetForm({ operation }: BenchRequest): PacketForm {
  const packet = encodePacket(0, operation);
  let headBytes = packet.length;
  while (packet[headBytes - 1] === 0) headBytes--;
  return { head: packet.slice(0, headBytes), packetBytes: packet.length };
}

/** The opcode of an answer that is no error. */
export function replyOpcode(name: OperationName): number {
  return name === "ping" ? OP_PONG : OP_RESPONSE;
}

const MESSAGE_BYTES = 32;

/** Undefined for what this runtime cannot verify: MD5 with SHA-1, P-224. */
function verified(
  info: PublicKeyInfo,
  scheme: SignScheme,
  message: Uint8Array,
  signature: Uint8Array,
): boolean | undefined {
  try {
    return verifySignature(info, scheme, message, signature);
  } catch (thrown) {
    if (thrown instanceof KeylessError && thrown.code === "KEY_UNSUPPORTED") return undefined;
    throw thrown;
  }
}

/** A block whose raw decryption is known: RFC 8017 section 5.1.1. */
function decryption(info: PublicKeyInfo): { readonly plain: Buffer; readonly block: Buffer } {
  const plain = randomBytes(modulusBytes(info));
  plain[0] = 0; // below the modulus
  const key = createPublicKey({ key: Buffer.from(info.spki), format: "der", type: "spki" });
  const block = publicEncrypt({ key, padding: constants.RSA_NO_PADDING }, plain);
  return { plain, block };
}
