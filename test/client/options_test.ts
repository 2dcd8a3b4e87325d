import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { type ClientOptions, KeylessClient } from "../../src/client/client.ts";
import { ServerError, type TransportCode, TransportError } from "../../src/client/errors.ts";
import { KeylessError } from "../../src/errors/errors.ts";
import type { SignScheme } from "../../src/mod.ts";
import { pemsOf, rejection } from "../support/client_fixture.ts";
import { TestPki } from "../support/test_server.ts";

let pki: TestPki;
before(async () => {
  pki = await TestPki.create();
});

/** Of a port that is never connected to. */
function clientOf(options: Partial<ClientOptions> = {}): KeylessClient {
  return new KeylessClient({ host: "127.0.0.1", port: 1, ...pemsOf(pki.client), ...options });
}

describe("KeylessClient refuses", () => {
  for (const name of ["maxOutstanding", "maxWaiting"] as const) {
    for (const limit of [0, -1, 1.5, NaN, Infinity, "4"]) {
      test(`${name} ${limit}, a ${typeof limit}`, () => {
        assert.throws(() => clientOf({ [name]: limit }), (error) => {
          assert.ok(error instanceof KeylessError);
          assert.equal(error.code, "USAGE");
          assert.equal(error.message, `${name} is a whole number from 1 on, not ${limit}`);
          return true;
        });
      });
    }
    test(`no ${name} of 1`, () => {
      assert.doesNotThrow(() => clientOf({ [name]: 1 }));
    });
  }

  for (const name of ["timeoutMs", "connectTimeoutMs"] as const) {
    for (const time of [0, -1, NaN, "5"]) {
      test(`${name} ${time}, a ${typeof time}`, () => {
        assert.throws(() => clientOf({ [name]: time }), (error) => {
          assert.ok(error instanceof KeylessError);
          assert.equal(error.code, "USAGE");
          assert.match(error.message, new RegExp(`^${name} is a number of milliseconds above 0`));
          return true;
        });
      });
    }
  }

  test("a request with NaN ms, by its promise", async () => {
    const client = clientOf();
    const error = await rejection(client.ping(new Uint8Array(0), { timeoutMs: NaN }));
    assert.equal(error.code, "USAGE");
    assert.equal(error.message, "timeoutMs is a number of milliseconds, not NaN");
    client.close();
  });

  test("a scheme that it does not know, by the promise, and names the known ones", async () => {
    const client = clientOf();
    const key = { ski: new Uint8Array(20) };
    const error = await rejection(client.sign(key, "rsa\n" as SignScheme, new Uint8Array(32)));
    assert.equal(error.code, "USAGE");
    assert.match(error.message, /^"rsa\\u\{a\}" is no scheme; give one of .*ecdsa-sha256, /);
    client.close();
  });
});

describe("the client's errors have a code of their own type", () => {
  test("TransportError one of the transport's", () => {
    const code: TransportCode = new TransportError("CONNECT", "message").code;
    assert.equal(code, "CONNECT");
  });

  test("ServerError always SERVER_ERROR", () => {
    const code: "SERVER_ERROR" = new ServerError(2, "server").code;
    assert.equal(code, "SERVER_ERROR");
  });
});
