import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  openFilesOf,
  sessionsOfModule,
  sessionsOfToken,
  signTimeoutOf,
  waitOf,
} from "../../src/hsm/session_limits.ts";
import { parseUri } from "../../src/hsm/uri.ts";

const uris = (...texts: readonly string[]) => texts.map((text) => parseUri(`pkcs11:${text}`));

describe("sessionsOfToken", () => {
  test("leaves one for the login, and one to sign in any case", () => {
    const most = (text: string) => sessionsOfToken(uris(text)).maxSessions;
    assert.deepEqual(
      ["token=a", "?max-sessions=4", "?max-sessions=2", "?max-sessions=1"].map(most),
      [
        ...[15, 3, 1, 1],
      ],
    );
  });

  test("takes the most that any URI of the token allows, and keeps no more open than that", () => {
    const limits = sessionsOfToken(uris("?max-sessions=3", "?max-sessions=5&min-sessions=5"));
    assert.deepEqual(limits, { minSessions: 4, maxSessions: 4 });
  });
});

describe("openFilesOf", () => {
  test("counts each token once, and each module", () => {
    const one = uris("token=a;id=%01?module-name=x", "token=a;id=%02?module-name=x");
    const two = uris("token=b?module-name=x&max-sessions=4", "token=a?module-name=y");
    assert.equal(sessionsOfModule(one), 15);
    assert.equal(openFilesOf(one), 4 + 15);
    assert.equal(openFilesOf([...one, ...two]), 4 + 15 + 3 + 4 + 15);
    assert.equal(openFilesOf([]), 0);
  });
});

describe("signTimeoutOf", () => {
  test("is three waits, no less than slow tokens need for a signature, and a minute at most", () => {
    assert.equal(signTimeoutOf(waitOf(uris("token=a"))), 30_000);
    assert.equal(signTimeoutOf(waitOf(uris("?wait=15s", "?wait=10s"))), 45_000);
    assert.equal(signTimeoutOf(waitOf(uris("?wait=1h"))), 60_000);
    assert.equal(signTimeoutOf(waitOf(uris("?wait=1ms"))), 5_000);
  });
});
