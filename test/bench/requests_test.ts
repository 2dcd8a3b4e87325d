import assert from "node:assert/strict";
import { constants, generateKeyPairSync, privateDecrypt, sign } from "node:crypto";
import { describe, test } from "node:test";
import { createRequest, packetForm } from "../../src/bench/requests.ts";
import { describePublicKey } from "../../src/crypto/public_key.ts";
import { decodeOperation } from "../../src/protocol/operation.ts";
import { encodePacket } from "../../src/protocol/packet.ts";

function rsaKey() {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2_048 });
  const spki = new Uint8Array(publicKey.export({ type: "spki", format: "der" }));
  const info = describePublicKey(spki);
  return { key: { label: "rsa", ski: info.ski, info }, privateKey };
}

describe("a request", () => {
  test("of a decryption knows what it must give", () => {
    const { key, privateKey } = rsaKey();
    const { operation, isRight } = createRequest("rsa-decrypt", key);
    assert.equal(operation.payload!.length, 256);
    const padding = constants.RSA_NO_PADDING;
    const plain = privateDecrypt({ key: privateKey, padding }, operation.payload!);
    assert.equal(isRight(plain), true);
    plain[255]! ^= 1;
    assert.equal(isRight(plain), false);
    assert.equal(isRight(new Uint8Array(0)), false);
  });

  test("of a signature is over a digest, with all that identifies the key", () => {
    const { key, privateKey } = rsaKey();
    const { operation, isRight } = createRequest("rsa-sha256", key);
    assert.equal(operation.opcode, 0x05);
    assert.equal(operation.payload!.length, 32);
    assert.deepEqual(operation.ski, key.ski);
    assert.deepEqual(operation.digest, key.info.digest);
    assert.equal(isRight(new Uint8Array(sign("sha256", operation.payload!, privateKey))), false);
  });

  test("by a SKI alone is taken as it comes", () => {
    const key = { label: "x", ski: new Uint8Array(20), info: undefined };
    assert.equal(createRequest("ed25519", key).isRight(new Uint8Array(64)), undefined);
  });

  test("of a ping is answered by what it holds alone", () => {
    const { operation, isRight } = createRequest("ping", undefined);
    assert.equal(isRight(operation.payload!.slice()), true);
    assert.equal(isRight(new Uint8Array(32)), false);
  });
});

describe("packetForm", () => {
  test("gives the packet again with its zeros", () => {
    const request = createRequest("rsa-sha256", rsaKey().key);
    const { head, packetBytes } = packetForm(request);
    const packet = new Uint8Array(packetBytes);
    packet.set(head);
    assert.deepEqual(packet, encodePacket(0, request.operation));
    assert.ok(head.length < packetBytes);
    assert.deepEqual(decodeOperation(packet.subarray(8)).ski, request.operation.ski);
  });
});
