import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { CliResult } from "../support/cli.ts";
import { runHere } from "../support/run_here.ts";
import { openssl } from "../support/openssl.ts";
import { createPingFixture, SLOW } from "../support/ping_fixture.ts";
import { closedPort } from "../support/plain_server.ts";
import type { TempDir } from "../support/temp_dir.ts";

let dir: TempDir;
let files: readonly string[];
before(async () => {
  ({ dir, files } = await createPingFixture());
  dir.write("rsa.key", openssl(["genpkey", "-algorithm", "RSA"]));
  dir.write("ed25519.key", openssl(["genpkey", "-algorithm", "ED25519"]));
  const ec = ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"];
  dir.write("ec.key", openssl(ec));
  const x25519 = ["genpkey", "-algorithm", "X25519"];
  const other = dir.write("other.key", openssl(x25519));
  dir.write("other.pub", openssl(["pkey", "-in", other, "-pubout"]));
  dir.write("none.key", "no key");
});
after(() => dir.remove());

function keyless(...args: string[]): Promise<CliResult> {
  return runHere(args, dir.path);
}

describe("every --json document", () => {
  const commands: readonly [what: string, args: () => Promise<string[]>, fields: string[]][] = [
    ["keys list", () => Promise.resolve(["keys", "list", "none.key"]), ["keys"]],
    ["keys ski", () => Promise.resolve(["keys", "ski", "none.key"]), ["keys"]],
    ["config check", () => Promise.resolve(["config", "check", "--auth-cert", "x"]), ["ok"]],
    [
      "ping",
      async () => ["ping", `127.0.0.1:${await closedPort()}`, ...files],
      [
        "healthy",
        "exitCode",
        "healthyTargets",
        "minHealthy",
        "operation",
        "verified",
        "targets",
      ],
    ],
  ];
  for (const [what, args, fields] of commands) {
    test(`${what}: what failed stands in it, once, and not on stderr`, SLOW, async () => {
      const { code, stdout, stderr } = await keyless(...await args(), "--json");
      assert.notEqual(code, 0);
      assert.equal(stderr, "");
      const document = JSON.parse(stdout);
      assert.deepEqual(Object.keys(document), ["version", ...fields, "warnings", "problems"]);
      assert.equal(document.version, 1);
      assert.deepEqual(document.warnings, []);
      assert.ok(document.problems.length > 0);
      for (const { code, message } of document.problems) {
        assert.match(code, /^[A-Z_]+$/);
        assert.ok(message.length > 0);
      }
    });
  }

  test("config show: it has the frame, and its warnings are not on stderr", SLOW, async () => {
    dir.write("typo.yaml", "prot: 1\n");
    const args = ["config", "show", "--json", "--config-file", "typo.yaml"];
    const { code, stdout, stderr } = await keyless(...args);
    assert.equal(code, 0);
    assert.equal(stderr, "");
    const { version, warnings, problems } = JSON.parse(stdout);
    assert.equal(version, 1);
    assert.match(warnings.join("\n"), /^typo\.yaml:1:1: "prot" is no setting; .*port/);
    assert.deepEqual(problems, []);
  });

  test("a command line that is wrong gives an error on stderr, and no document", SLOW, async () => {
    for (const args of [["ping"], ["keys", "ski"], ["keys", "list", "--dev-dir", "x"]]) {
      const { code, stdout, stderr } = await keyless(...args, "--json");
      assert.equal(code, 2);
      assert.equal(stdout, "");
      assert.equal(JSON.parse(stderr).error.code, "USAGE");
    }
  });
});

describe("keys in JSON", () => {
  test("keys list and keys ski tell type, bits and curve alike", SLOW, async () => {
    const names = ["ec.key", "ed25519.key", "rsa.key"];
    for (const command of ["list", "ski"]) {
      const { stdout } = await keyless("keys", command, "--json", ...names);
      const keys: Record<string, unknown>[] = JSON.parse(stdout).keys;
      assert.deepEqual(
        keys.map(({ file, type, bits, curve }) => ({ file, type, bits, curve })),
        [
          { file: "ec.key", type: "ec", bits: 384, curve: "P-384" },
          { file: "ed25519.key", type: "ed25519", bits: 256, curve: null },
          { file: "rsa.key", type: "rsa", bits: 2048, curve: null },
        ],
      );
    }
  });

  test("a key that is not served has its name for a type", SLOW, async () => {
    const { stdout } = await keyless("keys", "ski", "--json", "other.pub");
    const [{ ski, ...key }] = JSON.parse(stdout).keys;
    assert.match(ski, /^[0-9a-f]{40}$/);
    assert.deepEqual(key, {
      file: "other.pub",
      source: "public key",
      subject: null,
      type: "X25519",
      bits: null,
      curve: null,
    });
  });

  test("a file that cannot be used is named beside what is wrong with it", SLOW, async () => {
    for (const command of ["list", "ski"]) {
      const args = ["keys", command, "--json", "none.key", "ec.key"];
      const { code, stdout, stderr } = await keyless(...args);
      assert.equal(code, 2);
      assert.equal(stderr, "");
      const { keys, problems } = JSON.parse(stdout);
      assert.equal(keys.length, 1);
      assert.equal(problems.length, 1);
      assert.equal(problems[0].code, "KEY_FORMAT");
      assert.equal(problems[0].file, "none.key");
    }
  });
});
