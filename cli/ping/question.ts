import { randomBytes } from "node:crypto";
import type { PublicKeyInfo } from "../../src/crypto/public_key.ts";
import type { SignScheme } from "../../src/crypto/scheme.ts";
import { digestOf, verifySignature } from "../../src/crypto/verify.ts";
import { OP_PING, opcodeOfScheme } from "../../src/protocol/opcodes.ts";
import type { Operation } from "../../src/protocol/operation.ts";

/** One request of a check, and what its answer must be. */
export interface Question {
  readonly operation: Operation;
  /**
   * What is wrong with an answer; undefined for one that is right.
   *
   * @throws KeylessError "KEY_UNSUPPORTED" for a signature that this runtime cannot verify
   */
  faultOf(reply: Operation): string | undefined;
}

/** What the targets are asked, again and again. */
export interface Subject {
  /** "ping", "sign ecdsa-sha256". */
  readonly name: string;
  /** Of a signature: whether it can be verified; undefined where there is nothing to verify. */
  readonly verifies: boolean | undefined;
  next(): Question;
}

/** A ping with a payload of its own each time. */
export function pingSubject(): Subject {
  return {
    name: "ping",
    verifies: undefined,
    next() {
      const payload = randomBytes(PING_BYTES);
      return {
        operation: { opcode: OP_PING, payload },
        faultOf: ({ payload: answer = NOTHING }) =>
          payload.equals(answer) ? undefined : "the pong does not hold what the ping sent",
      };
    },
  };
}

export interface SigningKey {
  readonly ski: Uint8Array;
  /** For the verification; without it a signature is taken as it comes. */
  readonly info: PublicKeyInfo | undefined;
}

/** A signature over a random message each time, verified where the public key is known. */
export function signSubject({ ski, info }: SigningKey, scheme: SignScheme): Subject {
  const opcode = opcodeOfScheme(scheme).code;
  return {
    name: `sign ${scheme}`,
    verifies: info !== undefined,
    next() {
      const message = new Uint8Array(randomBytes(MESSAGE_BYTES));
      return {
        operation: {
          opcode,
          payload: digestOf(scheme, message),
          ski,
          digest: info?.digest,
        },
        faultOf: ({ payload }) => {
          if (payload === undefined) return "the answer holds no signature";
          if (info === undefined || verifySignature(info, scheme, message, payload)) {
            return undefined;
          }
          return `the signature with ${scheme} is wrong: it is not by the key that was asked for, ` +
            "or not over the digest that was sent";
        },
      };
    },
  };
}

const NOTHING = new Uint8Array(0);
const PING_BYTES = 32;
const MESSAGE_BYTES = 32;
