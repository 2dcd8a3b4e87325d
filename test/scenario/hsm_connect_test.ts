/** `keyless config check --connect`: tokens are opened as serve would, and every key signs once. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type CliOptions, runExecutable } from "../support/cli.ts";
import { HsmServe } from "../support/hsm_serve.ts";
import { keyOf } from "../support/openssl.ts";
import { makeSoftHsm } from "../support/softhsm.ts";

const SLOW = { timeout: 20_000 };

let serve: HsmServe;
before(async () => {
  const hsm = makeSoftHsm();
  hsm.addToken("prod");
  hsm.importKey("prod", keyOf("RSA 2048"), { label: "rsa\u001b[31m", id: "01" });
  hsm.importKey("prod", keyOf("P-256"), { label: "ec", id: "02" });
  serve = await HsmServe.create(hsm);
});
after(() => serve.remove());

const check = (stores: readonly string[], args: readonly string[], options: CliOptions = {}) =>
  runExecutable(["config", "check", ...args, ...serve.configure(stores)], {
    cwd: serve.fixture.directory.path,
    ...options,
    env: { ...serve.hsm.env, ...options.env },
  });

describe("config check", () => {
  test("without --connect opens no token", SLOW, async () => {
    const store = "uri: pkcs11:token=prod?module-path=/nowhere/lib.so";
    const { code, stdout } = await check([store], []);
    assert.equal(code, 0, stdout);
    assert.match(stdout, /keys in tokens 1 named, not opened: --connect does/);
  });

  test("--connect signs with each key, and names them", SLOW, async () => {
    const { code, stdout, stderr } = await check([`uri: ${serve.uri("token=prod")}`], [
      "--connect",
    ]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /ok {2}key in token {3}"ec" \(id=%02\) of pkcs11:token=prod, signs/);
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(stdout, /\u001b/);
  });

  test("--connect --json gives the keys", SLOW, async () => {
    const args = ["--connect", "--json"];
    const { code, stdout } = await check([`uri: ${serve.uri("token=prod;id=%02")}`], args);
    assert.equal(code, 0);
    const { tokenKeys } = JSON.parse(stdout);
    assert.equal(tokenKeys.length, 1);
    assert.equal(tokenKeys[0].entry, "pkcs11:token=prod;id=%02");
    assert.equal(tokenKeys[0].curve, "P-256");
  });

  test("--connect tells all that stands in the way, with exit code 2", SLOW, async () => {
    const { code, stderr } = await check([
      `uri: ${serve.uri("token=prod;id=%09")}`,
      `uri: ${serve.uri("token=nope")}`,
    ], ["--connect"]);
    assert.equal(code, 2);
    assert.match(stderr, /pkcs11:token=prod;id=%09: the token has no private key that fits/);
    assert.match(stderr, /pkcs11:token=nope: no token fits/);
  });
});
