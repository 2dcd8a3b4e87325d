import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { CliResult } from "../support/cli.ts";
import { runHere } from "../support/run_here.ts";
import { openssl } from "../support/openssl.ts";
import { makeTempDir, type TempDir } from "../support/temp_dir.ts";

const SLOW = { timeout: 30_000 };

let dir: TempDir;
before(() => {
  dir = makeTempDir();
  dir.write("ed25519.key", openssl(["genpkey", "-algorithm", "ED25519"]));
  dir.write("none.key", "no key");
});
after(() => dir.remove());

function keyless(args: readonly string[], env: Record<string, string> = {}): Promise<CliResult> {
  return runHere(["keys", ...args], dir.path, env);
}

for (const command of ["list", "ski"]) {
  describe(`keyless keys ${command}: the settings that it reads`, () => {
    test("a variable of a setting that it does not use may hold anything", SLOW, async () => {
      const env = { KEYLESS_PORT: "abc", KEYLESS_MAX_CONNECTIONS: "many" };
      const { code, stdout, stderr } = await keyless([command, "ed25519.key"], env);
      assert.equal(stderr, "");
      assert.equal(code, 0);
      assert.match(stdout, /ed25519\.key/);
    });

    test("a variable of one that it uses is checked", SLOW, async () => {
      const { code, stderr } = await keyless([command, "ed25519.key"], { KEYLESS_CRYPTO: "x" });
      assert.equal(code, 2);
      assert.match(stderr, /environment KEYLESS_CRYPTO: crypto is "x"; give one of auto/);
    });

    test("warnings of the configuration are told, in text and in JSON", SLOW, async () => {
      const env = { KEYLESS_PASSPHRASE_FIL: "x" };
      const warning = "environment KEYLESS_PASSPHRASE_FIL: ignored, it is no setting; " +
        "did you mean KEYLESS_PASSPHRASE_FILE?";
      const text = await keyless([command, "ed25519.key"], env);
      assert.equal(text.stderr, `keyless keys ${command}: warning: ${warning}\n`);
      const json = await keyless([command, "--json", "ed25519.key"], env);
      assert.equal(json.stderr, "");
      assert.deepEqual(JSON.parse(json.stdout).warnings, [warning]);
    });

    test("--debug shows where a file's error was thrown", SLOW, async () => {
      const args = [command, "none.key"];
      const plain = await keyless(args);
      assert.equal(plain.code, 2);
      assert.doesNotMatch(plain.stderr, /code KEY_FORMAT/);
      const { code, stderr } = await keyless([...args, "--debug"]);
      assert.equal(code, 2);
      assert.match(stderr, /^keyless keys \w+: none\.key: [^\n]+\ncode KEY_FORMAT\n/);
      assert.match(stderr, /\n\s+at /);
    });
  });
}
