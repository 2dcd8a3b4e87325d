import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { prepareDevDirectory } from "../../src/pki/dev.ts";
import type { CliResult } from "../support/cli.ts";
import { runHere } from "../support/run_here.ts";
import { makeTempDir, type TempDir } from "../support/temp_dir.ts";

const SECRET = "correct horse";

let dir: TempDir;
let ski: string;
before(() => {
  dir = makeTempDir();
  mkdirSync(dir.at("keys", "below"), { recursive: true });
  const p256 = ["genpkey", "-quiet", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
  dir.write("keys/b.key", openssl(p256));
  dir.write("keys/below/a.key", openssl(["genpkey", "-quiet", "-algorithm", "RSA"]));
  dir.write("keys/c.key.bak", "not looked at");
  dir.write(
    "encrypted.pem",
    openssl(["pkcs8", "-topk8", "-passout", `pass:${SECRET}`], openssl(p256)),
  );
  dir.write("passphrase", `${SECRET}\n`);
  for (const name of ["first", "second"]) {
    const request = ["req", "-x509", "-key", dir.at("keys/b.key"), "-subj", `/CN=${name}`];
    dir.write(`${name}.pem`, openssl([...request, "-addext", "subjectKeyIdentifier=hash"]));
  }
  const extension = ["x509", "-in", dir.at("first.pem"), "-noout", "-ext", "subjectKeyIdentifier"];
  ski = openssl(extension).split("\n")[1]!.trim().replaceAll(":", "").toLowerCase();
});
after(() => dir.remove());

function openssl(args: readonly string[], input = ""): string {
  return execFileSync("openssl", args, { input, stdio: "pipe" }).toString();
}

function keyless(...args: string[]): Promise<CliResult> {
  return runHere(["keys", ...args], dir.path);
}

describe("keyless keys list", () => {
  test("prints file, type, bits and SKI of each key, in columns", async () => {
    const { code, stdout, stderr } = await keyless("list", "keys");
    assert.equal(stderr, "");
    assert.equal(code, 0);
    const lines = stdout.trimEnd().split("\n");
    assert.deepEqual(lines[0]!.split(/ {2,}/), ["FILE", "TYPE", "BITS", "SKI"]);
    assert.deepEqual(lines[1]!.split(/ {2,}/), ["keys/b.key", "EC P-256", "256", ski]);
    assert.match(lines[2]!, /^keys\/below\/a\.key {2}RSA {7}2048 {2}[0-9a-f]{40}$/);
    assert.equal(lines.length, 3);
  });

  test("prints the same as JSON", async () => {
    const { code, stdout } = await keyless("list", "--json", "keys/b.key");
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(stdout), {
      version: 1,
      keys: [{ file: "keys/b.key", type: "ec", bits: 256, curve: "P-256", ski }],
      warnings: [],
      problems: [],
    });
  });

  test("has its warnings in the JSON, and no table where there is nothing to list", async () => {
    const both = dir.at("keys/b.key");
    dir.write("two.key", openssl(["pkey", "-in", both]).repeat(2));
    const found = await keyless("list", "--json", "two.key", "keys/b.key");
    assert.equal(found.stderr, "");
    assert.deepEqual(JSON.parse(found.stdout).warnings, [
      "two.key holds 2 private keys; only the first is served",
      "keys/b.key holds the same key as two.key, which is used",
    ]);
    mkdirSync(dir.at("none"));
    const none = await keyless("list", "none");
    assert.equal(none.stdout, "");
    assert.match(none.stderr, /^keyless keys list: warning: there are no keys; [^\n]*\n$/);
    assert.equal(none.code, 0);
    const empty = await keyless("list", "");
    assert.equal(empty.stdout, "");
    assert.equal(empty.stderr, 'keyless keys list: "": cannot be read: the name is empty\n');
  });

  test("lists what can be used, names the rest on stderr, and exits with 2", async () => {
    dir.write("bad.key", "no key");
    const { code, stdout, stderr } = await keyless("list", "keys/b.key", "bad.key", "missing");
    assert.equal(code, 2);
    assert.ok(stdout.includes(`keys/b.key  EC P-256  256   ${ski}\n`));
    const lines = stderr.trimEnd().split("\n");
    assert.match(lines[0]!, /^keyless keys list: bad\.key: no private key that can be read/);
    assert.match(lines[1]!, /^keyless keys list: missing: cannot be read: no such file/);
    assert.equal(lines.length, 2);
  });

  test("opens encrypted keys by --passphrase-file or KEYLESS_PASSPHRASE", async () => {
    const refused = await keyless("list", "encrypted.pem");
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /encrypted\.pem: .*encrypted.*--passphrase-file/);
    const byFile = await keyless("list", "encrypted.pem", "--passphrase-file", "passphrase");
    assert.equal(byFile.code, 0, byFile.stderr);
    const env = { KEYLESS_PASSPHRASE: SECRET };
    const byEnv = await runHere(["keys", "list", "encrypted.pem"], dir.path, env);
    assert.equal(byEnv.stdout, byFile.stdout);
    assert.ok(!(refused.stderr + byFile.stderr + byEnv.stderr).includes(SECRET));
  });

  test("warns of a key file that others may read, and of having nothing to list", async () => {
    chmodSync(
      dir.write("open.key", openssl(["genpkey", "-quiet", "-algorithm", "ED25519"])),
      0o644,
    );
    const open = await keyless("list", "open.key");
    assert.equal(open.code, 0);
    assert.match(open.stderr, /warning: open\.key is open to others \(mode 0644\); chmod 600 it/);
    dir.write("none.yaml", "private_key_stores: []\n");
    const none = await keyless("list", "--config-file", "none.yaml");
    assert.equal(none.code, 0);
    assert.match(none.stderr, /warning: there are no keys/);
  });

  test("takes the stores of a configuration that is named", async () => {
    const file = dir.write("conf.yaml", "private_key_stores:\n  - file: keys/b.key\n");
    const { code, stdout, stderr } = await keyless("list", "--config-file", file);
    assert.equal(code, 0, stderr);
    assert.ok(stdout.includes(ski));
  });

  test("lists the keys of --dev --dev-dir, which it never makes", async () => {
    const absent = await keyless("list", "--dev", "--dev-dir", "dev");
    assert.equal(absent.code, 2);
    assert.match(absent.stderr, /--dev: .*dev is not there; run this where `keyless serve --dev`/);
    // with keys in it, so that the test need not wait for large ones to be made
    mkdirSync(dir.at("dev", "keys"), { recursive: true });
    chmodSync(dir.at("dev"), 0o700);
    dir.write("dev/.keyless-dev", "");
    dir.write(
      "dev/keys/mine.key",
      openssl(["pkey"], openssl(["pkey", "-in", dir.at("keys/b.key")])),
    );
    await prepareDevDirectory(dir.at("dev"));
    const { code, stdout, stderr } = await keyless("list", "--dev", "--dev-dir", "dev");
    assert.equal(code, 0, stderr);
    assert.ok(stdout.includes(`${dir.at("dev/keys/mine.key")}  EC P-256  256   ${ski}\n`));
  });

  test("refuses a passphrase file that is missing, with exit code 2", async () => {
    const { code, stderr } = await keyless("list", "keys", "--passphrase-file", "nowhere");
    assert.equal(code, 2);
    assert.match(stderr, /the passphrase file nowhere cannot be read: no such file/);
  });
});

describe("keyless keys ski", () => {
  test("prints a line for each file, as sha1sum does", async () => {
    const { code, stdout, stderr } = await keyless("ski", "keys/b.key", "first.pem");
    assert.equal(stderr, "");
    assert.equal(code, 0);
    assert.equal(stdout, `${ski}  keys/b.key\n${ski}  first.pem\n`);
  });

  test("prints a line for each certificate of a file, with its subject", async () => {
    dir.write(
      "chain.pem",
      ["first", "second"].map((name) => openssl(["x509", "-in", dir.at(`${name}.pem`)])).join(""),
    );
    const { stdout } = await keyless("ski", "chain.pem");
    assert.equal(stdout, `${ski}  chain.pem  CN=first\n${ski}  chain.pem  CN=second\n`);
  });

  test("prints JSON, with what each was", async () => {
    const { stdout } = await keyless("ski", "--json", "first.pem", "keys/b.key");
    const key = { type: "ec", bits: 256, curve: "P-256", ski };
    assert.deepEqual(JSON.parse(stdout), {
      version: 1,
      keys: [
        { file: "first.pem", source: "certificate", subject: "CN=first", ...key },
        { file: "keys/b.key", source: "private key", subject: null, ...key },
      ],
      warnings: [],
      problems: [],
    });
  });

  test("names each file that it cannot read, prints the others, and exits with 2", async () => {
    dir.write("bad.pem", "no key");
    const { code, stdout, stderr } = await keyless("ski", "bad.pem", "first.pem", "keys");
    assert.equal(code, 2);
    assert.equal(stdout, `${ski}  first.pem\n`);
    const lines = stderr.trimEnd().split("\n");
    assert.match(lines[0]!, /^keyless keys ski: bad\.pem: it holds no key/);
    assert.match(lines[1]!, /^keyless keys ski: keys: is a directory/);
    assert.equal(lines.length, 2);
  });

  test("opens an encrypted key by its passphrase alone", async () => {
    const refused = await keyless("ski", "encrypted.pem");
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /encrypted\.pem: .*encrypted/);
    const opened = await keyless("ski", "encrypted.pem", "--passphrase-file", "passphrase");
    assert.equal(opened.code, 0, opened.stderr);
    assert.match(opened.stdout, /^[0-9a-f]{40} {2}encrypted\.pem\n$/);
  });

  test("warns of a passphrase file that others may read", async () => {
    const open = dir.write("open-passphrase", `${SECRET}\n`);
    chmodSync(open, 0o644);
    for (const command of ["ski", "list"]) {
      const { code, stderr } = await keyless(command, "encrypted.pem", "--passphrase-file", open);
      assert.equal(
        stderr,
        `keyless keys ${command}: warning: the passphrase file ${open} is open to others ` +
          "(mode 0644); chmod 600 it\n",
      );
      assert.equal(code, 0);
    }
  });

  test("without a file is an error of usage", async () => {
    const { code, stderr } = await keyless("ski");
    assert.equal(code, 2);
    assert.match(stderr, /missing required argument/);
  });

  test("shows a subject's control characters escaped", async () => {
    const request = [
      "req",
      "-x509",
      "-utf8",
      "-key",
      dir.at("keys/b.key"),
      "-subj",
      "/CN=\u001b[2J",
    ];
    dir.write("evil.pem", openssl(request).repeat(2));
    const { stdout } = await keyless("ski", "evil.pem");
    const line = `${ski}  evil.pem  CN=\\u{1b}[2J\n`;
    assert.equal(stdout, line.repeat(2));
  });
});
