import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import manifest from "../../package.json" with { type: "json" };
import { EXIT_MEANINGS } from "../../src/errors/table.ts";
import { resultOf, runCli, spawnCli, spawnScript } from "../support/cli.ts";

const SLOW = { timeout: 30_000 };

describe("keyless", () => {
  test("without arguments shows its help on stdout and exits 0", SLOW, async () => {
    const { code, stdout, stderr } = await runCli([]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^Usage: keyless \[options\] \[command\]/);
    assert.equal(stderr, "");
  });

  for (const flag of ["--help", "-h", "help"]) {
    test(`${flag} shows commands, examples and exit codes, and exits 0`, SLOW, async () => {
      const { code, stdout, stderr } = await runCli([flag]);
      assert.equal(code, 0, stderr);
      assert.match(stdout, /^ {2}config .*configuration$/m);
      assert.match(stdout, /^Examples:$/m);
      for (const [exit, meaning] of Object.entries(EXIT_MEANINGS)) {
        assert.ok(stdout.includes(`\n  ${exit}  ${meaning}\n`), meaning);
      }
    });
  }

  test("--version names the version and the runtime on one line", SLOW, async () => {
    const { code, stdout, stderr } = await runCli(["--version"]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^keyless \S+ \((bun|deno) \d+\.\d+\.\d+, \w+ \w+\)\n$/);
    assert.ok(stdout.startsWith(`keyless ${manifest.version} `));
    assert.equal(stderr, "");
  });

  const USAGE: readonly (readonly [args: readonly string[], stderr: RegExp])[] = [
    [
      ["confg"],
      /^keyless: unknown command 'confg'\n\(Did you mean config\?\)\nsee keyless --help\n$/,
    ],
    [["config", "chek"], /^keyless config: unknown command 'chek'\n\(Did you mean check\?\)\n/],
    [["--nope"], /^keyless: unknown option '--nope'\nsee keyless --help\n$/],
    [
      ["config", "show", "--prot", "1"],
      /: unknown option '--prot'\n\(Did you mean --port\?\)\nsee keyless config show --help\n$/,
    ],
    [
      ["config", "show", "--auth_crt", "x"],
      /unknown option '--auth_crt'\n\(Did you mean --auth-cert/,
    ],
    [
      ["config", "show", "--port"],
      /^keyless config show: option '--port <port>' argument missing\n/,
    ],
    [["config", "show", "extra"], /^keyless config show: too many arguments/],
    [["config", "show", "--manual-activation"], /unknown option '--manual-activation'/],
    [["config"], /^Usage: keyless config /],
    [["help", "bogus"], /^keyless: unknown command 'bogus'\nsee keyless --help\n$/],
    [["config", "help", "chek"], /^keyless config: unknown command 'chek'\n\(Did you mean check/],
    [
      ["serve", "--origin-ca-api-keyy=SECRET"],
      /^keyless serve: unknown option '--origin-ca-api-keyy'\n\(Did you mean --origin-ca-api-key\?/,
    ],
    [["config", "show", "--config-file", ""], /configuration file "" cannot be read: the name is/],
  ];
  for (const [args, expected] of USAGE) {
    test(`${args.join(" ")} is a usage error: exit 2, nothing on stdout`, SLOW, async () => {
      const { code, stdout, stderr } = await runCli(args);
      assert.equal(code, 2, stderr);
      assert.match(stderr, expected);
      assert.equal(stdout, "");
    });
  }

  test("shows control characters of a mistyped command escaped", SLOW, async () => {
    const { stderr } = await runCli(["\u001b[31mred\u202e\nkeyless: ok"]);
    assert.match(
      stderr,
      /^keyless: unknown command '\\u\{1b\}\[31mred\\u\{202e\}\\u\{a\}keyless: ok'\nsee .*\n$/,
    );
  });

  test("shows a stack trace with --debug alone", SLOW, async () => {
    const args = ["config", "show", "--config-file", "/nonexistent.yaml"];
    const plain = await runCli(args);
    assert.equal(plain.code, 2);
    assert.equal(
      plain.stderr,
      "keyless config show: configuration file /nonexistent.yaml cannot be read: " +
        "no such file or directory\n",
    );
    const debug = await runCli([...args, "--debug"]);
    assert.equal(debug.code, 2);
    assert.ok(debug.stderr.startsWith(plain.stderr));
    assert.match(
      debug.stderr,
      /^code CONFIG_FILE$[^]*^ +at .*file\.ts[^]*^caused by Error: ENOENT/m,
    );
  });

  test("with --json tells an error as JSON on stderr, with its code", SLOW, async () => {
    const { code, stdout, stderr } = await runCli(["config", "show", "--json", "--port", "x"]);
    assert.equal(code, 2, stderr);
    assert.equal(stdout, "");
    const { error } = JSON.parse(stderr);
    assert.equal(error.code, "CONFIG_VALUE");
    assert.match(error.message, /^flag --port: port is "x"; give a port/);
  });
});

describe("a defect", () => {
  const script = new URL("./stray_error.ts", import.meta.url);

  for (const kind of ["throw", "reject"]) {
    test(
      `(${kind}) ends the program with one line that asks for a report, exit 1`,
      SLOW,
      async () => {
        const { code, stderr, stdout } = await resultOf(spawnScript(script, ["--version", kind]));
        assert.equal(code, 1, stderr);
        assert.match(
          stderr,
          /^keyless: internal error: first second \(a defect .* report it, .*--debug\)\n$/,
        );
        assert.match(stdout, /^keyless \S+ .*\n$/);
      },
    );
  }

  test("shows where it was thrown with --debug", SLOW, async () => {
    const { stderr } = await resultOf(spawnScript(script, ["--version", "--debug", "throw"]));
    assert.match(stderr, /^ +at .*stray_error\.ts/m);
  });
});

describe("flags", () => {
  const origin = async (...args: string[]) => {
    const { code, stdout, stderr } = await runCli(["config", "show", "--json", ...args]);
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout).settings;
  };

  test("may be written with underscores or hyphens", SLOW, async () => {
    const settings = await origin(
      "--auth_cert",
      "a_b.pem",
      "--auth-key=c_d.pem",
      "--max_in-flight=7",
    );
    assert.deepEqual(settings.auth_cert, { value: "a_b.pem", origin: "flag --auth-cert" });
    assert.equal(settings.auth_key.value, "c_d.pem");
    assert.equal(settings.max_in_flight.value, "7");
  });

  test("take a value that looks like a flag as it is", SLOW, async () => {
    const settings = await origin("--pid-file", "--auth_cert", "--auth_csr=--auth_key");
    assert.equal(settings.pid_file.value, "--auth_cert");
    assert.equal(settings.auth_csr.value, "--auth_key");
    assert.equal(settings.auth_cert.origin, "default");
  });

  test("of the kind on or off need no value", SLOW, async () => {
    const settings = await origin("--keep-going", "--allow_weak_keys", "false", "-l", "debug");
    assert.equal(settings.keep_going.value, "true");
    assert.equal(settings.allow_weak_keys.value, "false");
    assert.equal(settings.loglevel.value, "0");
  });

  test("for directories and files of keys may be repeated", SLOW, async () => {
    const settings = await origin("--private_key_dirs", "/a,/b", "--private-key-dirs", "/c");
    assert.equal(settings.private_key_stores.value, "dir:/a,dir:/b,dir:/c");
  });

  test("that would show a secret to other users are refused without echoing it", SLOW, async () => {
    for (const args of [["--passphrase=horse"], ["--passphrase", "horse"], ["--passphrase"]]) {
      const { code, stderr } = await runCli(["config", "show", ...args]);
      assert.equal(code, 2, stderr);
      assert.match(stderr, /--passphrase is no flag.*set KEYLESS_PASSPHRASE/);
      assert.ok(!stderr.includes("horse"));
    }
  });
});

describe("output", () => {
  const directory = mkdtempSync(join(tmpdir(), "keyless-cli-"));
  after(() => rmSync(directory, { recursive: true }));

  test("has no colour and no cursor control where it is no terminal", SLOW, async () => {
    const { stdout } = await runCli(["config", "show"], {
      env: { FORCE_COLOR: "1", TERM: "xterm" },
    });
    assert.ok(!stdout.includes("\u001b"));
  });

  test("may be read by someone who leaves: exit 0, no message", SLOW, async () => {
    const file = join(directory, "many.yaml");
    // more than a pipe holds, so that the command is still writing when its reader goes
    writeFileSync(file, `private_key_stores:\n${`  - dir: /${"x".repeat(4_000)}\n`.repeat(250)}`);
    const child = spawnCli(["config", "show", "--json", "--config-file", file]);
    const stderr: string[] = [];
    child.stderr.on("data", (chunk) => stderr.push(String(chunk)));
    child.stdout.once("data", () => child.stdout.destroy());
    const code = await new Promise((resolve) => child.once("close", resolve));
    assert.equal(stderr.join(""), "");
    assert.equal(code, 0, stderr.join(""));
  });

  for (const args of [["config", "show"], ["config", "show", "--json"], ["--help"]]) {
    test(`of ${args.join(" ")} that no disk has room for: exit 1, own words`, SLOW, async () => {
      const { code, stderr } = await runCli(args, { stdout: "/dev/full" });
      assert.match(stderr, /the output cannot be written: no space left on device/);
      assert.doesNotMatch(stderr, /defect|ENOSPC|internal/);
      assert.equal(code, 1);
    });
  }

  test("arrives whole where it is large and piped", SLOW, async () => {
    const file = join(directory, "large.yaml");
    const path = `/${"y".repeat(4_000)}`;
    writeFileSync(file, `private_key_stores:\n${`  - dir: ${path}\n`.repeat(200)}`);
    const { stdout } = await runCli(["config", "show", "--json", "--config-file", file]);
    const { settings } = JSON.parse(stdout);
    assert.equal(settings.private_key_stores.value.split(",").length, 200);
  });
});
