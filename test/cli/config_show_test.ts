import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { SETTING_KEYS } from "../../src/config/settings.ts";
import type { CliResult } from "../support/cli.ts";
import { runConfig } from "../support/config_run.ts";
import { makeTempDir } from "../support/temp_dir.ts";

const SLOW = { timeout: 30_000 };

const directory = makeTempDir();
after(() => directory.remove());

function run(
  yaml: string,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<CliResult> {
  return runConfig(directory, "show", yaml, args, env);
}

describe("keyless config show", () => {
  test("lists every setting, its value, and where it is from", SLOW, async () => {
    const { code, stdout, stderr } = await run("port: 1234\n", ["-l", "warning"], {
      KEYLESS_BIND: "::1",
    });
    assert.equal(code, 0, stderr);
    const rows = stdout.trimEnd().split("\n").map((line) => line.trim().split(/ {2,}/));
    assert.deepEqual(rows[0], ["KEY", "VALUE", "FROM"]);
    assert.deepEqual(rows.slice(1).map(([key]) => key), SETTING_KEYS);
    assert.deepEqual(rows.find(([key]) => key === "port")?.slice(0, 2), ["port", "1234"]);
    assert.deepEqual(rows.find(([key]) => key === "port")?.[2], "file gokeyless.yaml:1");
    assert.deepEqual(rows.find(([key]) => key === "bind"), [
      "bind",
      "::1",
      "environment KEYLESS_BIND",
    ]);
    assert.deepEqual(rows.find(([key]) => key === "loglevel"), [
      "loglevel",
      "2",
      "flag --loglevel",
    ]);
    assert.deepEqual(rows.find(([key]) => key === "idle_timeout"), [
      "idle_timeout",
      "30s",
      "default",
    ]);
  });

  test("masks secrets that are set, in text and in JSON", SLOW, async () => {
    const env = { KEYLESS_PASSPHRASE: "correct horse" };
    for (const args of [[], ["--json"]]) {
      const { code, stdout, stderr } = await run("origin_ca_api_key: v1.0-k", args, env);
      assert.equal(code, 0, stderr);
      assert.equal(stdout.split("********").length, 3);
      for (const secret of ["horse", "v1.0-k"]) assert.ok(!(stdout + stderr).includes(secret));
    }
    const { stdout } = await run("");
    assert.ok(!stdout.includes("*****"));
  });

  test("warns of an unknown key and goes on: on stderr, or in the JSON alone", SLOW, async () => {
    const warning = 'gokeyless.yaml:1:1: "prot" is no setting; did you mean port? (ignored)';
    const text = await run("prot: 1\n");
    assert.equal(text.code, 0, text.stderr);
    assert.equal(text.stderr, `keyless config show: warning: ${warning}\n`);
    const json = await run("prot: 1\n", ["--json"]);
    assert.equal(json.code, 0, json.stderr);
    assert.equal(json.stderr, "");
    const { configFile, warnings } = JSON.parse(json.stdout);
    assert.equal(configFile, "gokeyless.yaml");
    assert.deepEqual(warnings, [warning]);
  });

  test("tells Kubernetes' variable from a port", SLOW, async () => {
    const env = { KEYLESS_PORT: "tcp://10.0.0.1:2407" };
    const { code, stdout, stderr } = await run("", ["--json"], env);
    assert.equal(code, 0, stderr);
    const { warnings, settings } = JSON.parse(stdout);
    assert.equal(warnings.length, 1);
    assert.match(
      warnings[0],
      /^environment KEYLESS_PORT: ignored, .* enableServiceLinks: false/,
    );
    assert.deepEqual(settings.port, { value: "2407", origin: "default" });
  });

  test("escapes control characters of values", SLOW, async () => {
    for (const args of [[], ["--json"]]) {
      const { stdout } = await run('hostname: "a\\e[31m\\u202eb"\n', args);
      assert.ok(!stdout.includes("\u001b") && !stdout.includes("\u202e"));
      assert.match(stdout, /hostname.*a.*\[31m.*b/s);
    }
  });

  test("reads the file that --config-file names, and no other", SLOW, async () => {
    const named = directory.write("named.yaml", "port: 4321\n");
    const { stdout } = await run("port: 1\n", ["--json", "-c", named]);
    assert.deepEqual(JSON.parse(stdout).settings.port, {
      value: "4321",
      origin: `file ${named}:1`,
    });
  });
});
