/** What the engines and the file store make of requests that do not fit a key, seen from outside. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash, randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { describePublicKey } from "../../src/crypto/public_key.ts";
import { selectEngine } from "../../src/crypto/select_engine.ts";
import { type FileStore, loadFileStore } from "../../src/keystore/file_store.ts";
import type { Operation } from "../../src/protocol/operation.ts";
import { type KeyKind, keyOf, openssl, opensslVerifies, publicKeyOf } from "../support/openssl.ts";
import { RawClient } from "../support/raw_client.ts";
import { makeTempDir, type TempDir } from "../support/temp_dir.ts";
import { startTestServer, TestPki, type TestServer } from "../support/test_server.ts";

const RSA_DECRYPT = 0x01;
const RSA_SHA256 = 0x05;
const RSA_PSS_SHA384 = 0x36;
const RSA_PSS_SHA512 = 0x37;
const ECDSA_SHA256 = 0x15;
const ECDSA_SHA384 = 0x16;
const ED25519 = 0x18;

const RSA_BYTES = 256;
const DIGEST = new Uint8Array(createHash("sha256").update("hello").digest());

const KINDS = ["RSA 2048", "RSA 1024", "P-256", "Ed25519"] as const satisfies readonly KeyKind[];
type Kind = (typeof KINDS)[number];

let pki: TestPki;
let directory: TempDir;
before(async () => {
  pki = await TestPki.create();
  directory = makeTempDir();
  for (const kind of KINDS) directory.write(`${kind}.key`, keyOf(kind));
});
after(() => directory.remove());

function skiOf(kind: Kind): Uint8Array {
  return describePublicKey(publicKeyOf(keyOf(kind))).ski;
}

/** As openssl prints it: upper-case hexadecimal. */
function modulusOf(kind: Kind): string {
  const args = ["rsa", "-pubin", "-inform", "DER", "-noout", "-modulus"];
  const line = new TextDecoder().decode(openssl(args, publicKeyOf(keyOf(kind))));
  return line.trim().replace("Modulus=", "");
}

/** The modulus, and `more`. */
function blockFrom(more: bigint): Uint8Array {
  const hex = (BigInt(`0x${modulusOf("RSA 2048")}`) + more).toString(16);
  return new Uint8Array(Buffer.from(hex, "hex"));
}

const ask = (opcode: number, kind: Kind, payload?: Uint8Array): Operation => ({
  opcode,
  ski: skiOf(kind),
  payload,
});
const sized = (length: number) => new Uint8Array(length).fill(1);

const CRYPTOGRAPHY = 1;
const KEY_NOT_FOUND = 2;

const REFUSED: readonly [what: string, request: () => Operation, error: number][] = [
  ["an RSA opcode for an EC key", () => ask(RSA_SHA256, "P-256", DIGEST), CRYPTOGRAPHY],
  ["an RSA opcode for an Ed25519 key", () => ask(RSA_SHA256, "Ed25519", DIGEST), CRYPTOGRAPHY],
  ["an ECDSA opcode for an RSA key", () => ask(ECDSA_SHA256, "RSA 2048", DIGEST), CRYPTOGRAPHY],
  ["an ECDSA opcode for an Ed25519 key", () => ask(ECDSA_SHA256, "Ed25519", DIGEST), CRYPTOGRAPHY],
  ["an Ed25519 opcode for an RSA key", () => ask(ED25519, "RSA 2048", DIGEST), CRYPTOGRAPHY],
  ["an Ed25519 opcode for an EC key", () => ask(ED25519, "P-256", DIGEST), CRYPTOGRAPHY],
  ["an RSA digest a byte short", () => ask(RSA_SHA256, "RSA 2048", sized(31)), CRYPTOGRAPHY],
  ["an RSA digest a byte long", () => ask(RSA_SHA256, "RSA 2048", sized(33)), CRYPTOGRAPHY],
  ["a PSS digest a byte short", () => ask(RSA_PSS_SHA384, "RSA 2048", sized(47)), CRYPTOGRAPHY],
  ["a PSS digest a byte long", () => ask(RSA_PSS_SHA384, "RSA 2048", sized(49)), CRYPTOGRAPHY],
  ["an ECDSA digest a byte short", () => ask(ECDSA_SHA256, "P-256", sized(31)), CRYPTOGRAPHY],
  ["an ECDSA digest a byte long", () => ask(ECDSA_SHA384, "P-256", sized(49)), CRYPTOGRAPHY],
  ["no digest", () => ask(ECDSA_SHA256, "P-256"), CRYPTOGRAPHY],
  ["no digest for RSA", () => ask(RSA_SHA256, "RSA 2048"), CRYPTOGRAPHY],
  ["the modulus to decrypt", () => ask(RSA_DECRYPT, "RSA 2048", blockFrom(0n)), CRYPTOGRAPHY],
  ["more than the modulus to decrypt", () => {
    return ask(RSA_DECRYPT, "RSA 2048", blockFrom(1n));
  }, CRYPTOGRAPHY],
  ["a block to decrypt a byte short", () => {
    return ask(RSA_DECRYPT, "RSA 2048", sized(RSA_BYTES - 1));
  }, CRYPTOGRAPHY],
  ["a block to decrypt a byte long", () => {
    return ask(RSA_DECRYPT, "RSA 2048", Uint8Array.of(0, ...sized(RSA_BYTES)));
  }, CRYPTOGRAPHY],
  ["nothing to decrypt", () => ask(RSA_DECRYPT, "RSA 2048"), CRYPTOGRAPHY],
  ["a block to decrypt for an EC key", () => {
    return ask(RSA_DECRYPT, "P-256", sized(RSA_BYTES));
  }, CRYPTOGRAPHY],
  ["PSS with SHA-512 for 1,024 bits", () => {
    return ask(RSA_PSS_SHA512, "RSA 1024", sized(64));
  }, CRYPTOGRAPHY],
  ["no SKI", () => ({ opcode: ECDSA_SHA256, payload: DIGEST }), KEY_NOT_FOUND],
  ["a SKI of zeros", () => {
    return { opcode: ECDSA_SHA256, ski: new Uint8Array(20), payload: DIGEST };
  }, KEY_NOT_FOUND],
  ["a SKI a byte short", () => {
    return { opcode: ECDSA_SHA256, ski: skiOf("P-256").subarray(0, 19), payload: DIGEST };
  }, KEY_NOT_FOUND],
  ["a SKI a byte long", () => {
    return { opcode: ECDSA_SHA256, ski: Uint8Array.of(...skiOf("P-256"), 0), payload: DIGEST };
  }, KEY_NOT_FOUND],
  ["an unknown SKI", () => {
    return { opcode: ECDSA_SHA256, ski: randomBytes(20), payload: DIGEST };
  }, KEY_NOT_FOUND],
  ["an unknown SKI, for all that its certificate digest is known", () => {
    return { opcode: RSA_SHA256, ski: sized(20), digest: digestOf("RSA 2048"), payload: DIGEST };
  }, KEY_NOT_FOUND],
  ["an unknown certificate digest", () => {
    return { opcode: RSA_SHA256, digest: sized(32), payload: DIGEST };
  }, KEY_NOT_FOUND],
];

/** SHA-256 of the modulus in upper-case hexadecimal. */
function digestOf(kind: Kind): Uint8Array {
  return new Uint8Array(createHash("sha256").update(modulusOf(kind)).digest());
}

for (const choice of ["libcrypto", "portable"] as const) {
  describe(`a server with the ${choice} engine`, () => {
    let store: FileStore;
    let server: TestServer;
    let client: RawClient;
    let nextId = 1;

    before(async () => {
      const engine = selectEngine(choice);
      store = await loadFileStore([{ dir: directory.path }], { engine, allowWeak: true });
      assert.equal(store.size, KINDS.length);
      server = await startTestServer(pki, { keystore: store });
      client = await RawClient.open({ ...pki.client, port: server.port });
    });
    after(async () => {
      client.socket.destroy();
      await server.server.drain(0);
      store.close();
    });

    async function answerTo(operation: Operation): Promise<Operation> {
      const answer = await client.ask(nextId++, operation);
      assert.ok(answer, "the connection ended");
      return answer;
    }

    for (const [what, request, error] of REFUSED) {
      test(`answers ${what} with error ${error}, and its connection lives on`, async () => {
        const answer = await answerTo(request());
        assert.equal(answer.opcode, 0xff);
        assert.deepEqual(answer.payload, Uint8Array.of(error));
        await signs(ask(ECDSA_SHA256, "P-256", DIGEST), "P-256", "ecdsa-sha256");
      });
    }

    test("finds an RSA key by its certificate digest where there is no SKI", async () => {
      const request = { opcode: RSA_SHA256, digest: digestOf("RSA 2048"), payload: DIGEST };
      await signs(request, "RSA 2048", "rsa-sha256");
    });

    test("decrypts a block just below the modulus", async () => {
      const answer = await answerTo(ask(RSA_DECRYPT, "RSA 2048", blockFrom(-1n)));
      assert.equal(answer.opcode, 0xf0);
      assert.deepEqual(answer.payload, blockFrom(-1n)); // as d is odd, (n - 1)^d = n - 1
    });

    test("signs PSS with SHA-384 by 1,024 bits, which SHA-512 does not fit", async () => {
      await signs(ask(RSA_PSS_SHA384, "RSA 1024", sized(48)), "RSA 1024", "rsa-pss-sha384");
    });

    async function signs(
      request: Operation,
      kind: Kind,
      scheme: Parameters<typeof opensslVerifies>[1],
    ): Promise<void> {
      const { opcode, payload } = await answerTo(request);
      assert.equal(opcode, 0xf0);
      const signed = request.payload;
      assert.ok(payload !== undefined && signed !== undefined);
      assert.ok(opensslVerifies(publicKeyOf(keyOf(kind)), scheme, signed, payload));
    }
  });
}
