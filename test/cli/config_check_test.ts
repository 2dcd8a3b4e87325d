import assert from "node:assert/strict";
import { once } from "node:events";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Authority, type IssueRequest } from "../../src/pki/authority.ts";
import { type DevDirectory, prepareDevDirectory } from "../../src/pki/dev.ts";
import type { CliResult } from "../support/cli.ts";
import { runConfig } from "../support/config_run.ts";
import { openssl } from "../support/openssl.ts";
import { makeTempDir } from "../support/temp_dir.ts";

const SLOW = { timeout: 30_000 };

const directory = makeTempDir();
let dev: DevDirectory;
before(async () => {
  dev = await prepareDevDirectory(directory.at("dev"));
});
after(() => directory.remove());

function run(yaml: string, args: readonly string[] = []): Promise<CliResult> {
  return runConfig(directory, "check", yaml, args);
}

/** Flags for a certificate of another authority, and its key. */
async function identity(issue: Omit<IssueRequest, "commonName">): Promise<string[]> {
  const authority = await Authority.create("another CA");
  const { certificatePem, keyPem } = await authority.issue({ ...issue, commonName: "flawed" });
  const made = mkdtempSync(directory.at("identity-"));
  writeFileSync(join(made, "cert.pem"), certificatePem);
  writeFileSync(join(made, "key.pem"), keyPem, { mode: 0o600 });
  return ["--auth-cert", join(made, "cert.pem"), "--auth-key", join(made, "key.pem")];
}

function working(): string {
  return [
    `auth_cert: ${dev.serverCertificate}`,
    `auth_key: ${dev.serverKey}`,
    `cloudflare_ca_cert: ${dev.ca}`,
    `private_key_stores: [{dir: ${dev.keysDirectory}}]`,
    "port: 0",
    "",
  ].join("\n");
}

describe("keyless config check", () => {
  test("says what it has found, and exits 0", SLOW, async () => {
    const { code, stdout, stderr } = await run(working());
    assert.equal(stderr, "");
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^ok {2}configuration {2}gokeyless\.yaml$/m);
    assert.match(stdout, /^ok {2}certificate {4}CN=keyless dev server, until 20\d\d-/m);
    assert.match(stdout, /^ok {2}clients' CA {4}CN=keyless dev CA$/m);
    assert.match(stdout, /^ok {2}engine {9}libcrypto, OpenSSL 3\./m);
    assert.match(stdout, /^ok {2}keys {11}[1-9]\d*$/m);
  });

  test("says the same as JSON", SLOW, async () => {
    const { code, stdout, stderr } = await run(working(), ["--json"]);
    assert.equal(code, 0, stderr);
    const found = JSON.parse(stdout);
    assert.equal(found.ok, true);
    assert.equal(found.configFile, "gokeyless.yaml");
    assert.ok(found.keys > 0);
    assert.deepEqual(found.warnings, []);
    assert.deepEqual(found.problems, []);
  });

  test("refuses an unknown key, with its place and the nearest one", SLOW, async () => {
    const { code, stdout, stderr } = await run(`${working()}log_level: 1\n`);
    assert.equal(code, 2, stderr);
    assert.equal(stdout, "");
    assert.equal(
      stderr,
      'keyless config check: gokeyless.yaml:6:1: "log_level" is no setting; ' +
        "did you mean loglevel?\n",
    );
  });

  test("tells all problems of a file as JSON", SLOW, async () => {
    const yaml = "port: x\nprot: 1\norigin_ca_api_key: [secret]\n";
    const { code, stdout, stderr } = await run(yaml, ["--json"]);
    assert.equal(code, 2, stderr);
    assert.ok(!stdout.includes("secret"));
    const { ok, problems } = JSON.parse(stdout);
    assert.equal(ok, false);
    assert.deepEqual(
      problems.map((problem: Record<string, string>) => [problem["code"], problem["place"]]),
      [
        ["CONFIG_VALUE", "gokeyless.yaml:1:7"],
        ["CONFIG_UNKNOWN", "gokeyless.yaml:2:1"],
        ["CONFIG_VALUE", "gokeyless.yaml:3:20"],
      ],
    );
  });

  test("refuses a key of another certificate, and a key that is none, at once", SLOW, async () => {
    const broken = directory.at("broken.key");
    writeFileSync(broken, "no key", { mode: 0o600 });
    const args = ["--auth-key", dev.clientKey, "--private-key-files", broken];
    const { code, stderr } = await run(working(), args);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /^keyless config check: 2 things stand in the way:$/m);
    assert.match(
      stderr,
      /^ {2}auth_key .*client-key\.pem is not the key of auth_cert .*server\.pem/m,
    );
    assert.match(stderr, /broken\.key: no private key/);
  });

  for (
    const [flag, why] of [
      ["--auth-cert", /auth_cert \S+empty\.pem holds no certificate/],
      ["--auth-key", /auth_key \S+empty\.pem holds no private key/],
      ["--cloudflare-ca-cert", /cloudflare_ca_cert \S+empty\.pem holds no certificate/],
    ] as const
  ) {
    test(`refuses an empty file for ${flag}, and names it`, SLOW, async () => {
      const empty = directory.at("empty.pem");
      writeFileSync(empty, "", { mode: 0o600 });
      const { code, stderr } = await run(working(), [flag, empty]);
      assert.equal(code, 2, stderr);
      assert.match(stderr, why);
    });

    test(`refuses a missing file for ${flag}, and names it`, SLOW, async () => {
      const missing = directory.at("missing.pem");
      const { code, stderr } = await run(working(), [flag, missing]);
      assert.equal(code, 2, stderr);
      assert.match(
        stderr,
        /^keyless config check: \w+ \S+missing\.pem cannot be read: no such file/,
      );
    });
  }

  test("says how to go on where enrolment would be needed", SLOW, async () => {
    const yaml = "hostname: a.example\nzone_id: z\norigin_ca_api_key: v1.0-secret\n";
    const { code, stderr } = await run(yaml);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /there is no server\.pem and no server-key\.pem, and requesting/);
    assert.ok(!stderr.includes("v1.0-secret"));
  });

  test("accepts the settings of an enrolment whose certificate is there", SLOW, async () => {
    const yaml = `${working()}hostname: a.example\nzone_id: z\norigin_ca_api_key: v1.0-secret\n`;
    const { code, stderr } = await run(yaml);
    assert.equal(stderr, "");
    assert.equal(code, 0, stderr);
  });

  test("tells every missing file at once", SLOW, async () => {
    const args = ["--auth-cert", "nope1", "--auth-key", "nope2", "--cloudflare-ca-cert", "nope3"]
      .concat("--private-key-dirs", "nope4", "--passphrase-file", "nope5");
    const { code, stderr } = await run("port: 0\n", args);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /^keyless config check: 5 things stand in the way:$/m);
    for (const path of ["nope1", "nope2", "nope3", "nope4", "nope5"]) {
      assert.equal(stderr.match(new RegExp(`${path}[ :].*no such file .*looked in `))?.length, 1);
    }
  });

  test("does not tell of encrypted keys whose passphrase file is missing", SLOW, async () => {
    const keys = mkdtempSync(directory.at("encrypted-"));
    const encrypt = ["pkcs8", "-topk8", "-passout", "pass:horse", "-in", dev.clientKey];
    writeFileSync(join(keys, "a.key"), openssl(encrypt), { mode: 0o600 });
    const args = ["--private-key-dirs", keys, "--passphrase-file", "/nonexistent"];
    const { stderr } = await run(working(), args);
    assert.match(stderr, /^keyless config check: the passphrase file [^\n]* no such file[^\n]*\n$/);
    writeFileSync(join(keys, "b.key"), "no key", { mode: 0o600 });
    const both = await run(working(), args);
    assert.match(both.stderr, /2 things .*the passphrase file .*1 of 2 key files .*b\.key: no/s);
    assert.ok(!both.stderr.includes("a.key"));
  });

  test("tells each of many broken key files as JSON", SLOW, async () => {
    const keys = mkdtempSync(directory.at("broken-"));
    const paths = Array.from({ length: 25 }, (_, at) => join(keys, `${at + 10}.key`));
    for (const path of paths) writeFileSync(path, "no key", { mode: 0o600 });
    const args = ["--json", "--private-key-dirs", keys, "--auth-key", "nope"];
    const { code, stdout, stderr } = await run(working(), args);
    assert.equal(code, 2, stderr);
    const [first, ...problems] = JSON.parse(stdout).problems;
    assert.match(first.message, /^auth_key nope cannot be read: no such file/);
    assert.deepEqual(problems.map(({ file }: { file: string }) => file), paths);
    for (const { code, message } of problems) {
      assert.equal(code, "KEY_FORMAT");
      assert.doesNotMatch(message, /\n/);
    }
  });

  test("refuses an address that this machine has not", SLOW, async () => {
    const { code, stderr } = await run(working(), ["--bind", "192.0.2.1"]);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /cannot listen on 192\.0\.2\.1 port 0: this machine has no such address/);
  });

  test("refuses directories of the socket and of the pid file that are missing", SLOW, async () => {
    const [socket, pid] = [directory.at("no", "sock"), directory.at("nowhere", "pid")];
    const args = ["--unix-socket", socket, "--pid-file", pid];
    const { code, stderr } = await run(working(), args);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /2 things stand in the way/);
    assert.match(stderr, /cannot listen on \S+\/no\/sock: its directory does not exist/);
    assert.match(stderr, /pid_file \S+\/nowhere\/pid cannot be written: no such file/);
  });

  test("leaves a socket's file that nobody listens on, and makes none", SLOW, async () => {
    const [fresh, occupied] = [directory.at("fresh.sock"), directory.at("file.sock")];
    const args = ["--unix-socket", fresh, "--pid-file", directory.at("fresh.pid")];
    const { code, stderr } = await run(working(), args);
    assert.equal(code, 0, stderr);
    assert.ok(!existsSync(fresh) && !existsSync(directory.at("fresh.pid")));
    writeFileSync(occupied, "mine");
    const refused = await run(working(), ["--unix-socket", occupied]);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /a file that is no socket stands there/);
    assert.equal(readFileSync(occupied, "utf8"), "mine");
  });

  test("warns of a port and a socket in use: it may be the running server", SLOW, async () => {
    const socket = directory.at("used.sock");
    const servers = [createServer().listen(0, "127.0.0.1"), createServer().listen(socket)];
    await Promise.all(servers.map((server) => once(server, "listening")));
    const { port } = servers[0]!.address() as AddressInfo;
    const args = ["--bind", "127.0.0.1", "--port", `${port}`, "--unix-socket", socket];
    const { code, stderr } = await run(working(), args);
    for (const server of servers) server.close();
    assert.equal(code, 0, stderr);
    assert.match(stderr, new RegExp(`warning: cannot listen on 127.0.0.1 port ${port}: another`));
    assert.match(stderr, /warning: cannot listen on \S+used\.sock: another process .*\(unless/);
  });

  test("looks at the metrics port and the status port as well", SLOW, async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const metrics = ["--metrics-bind", "127.0.0.1", "--metrics-port", `${port}`];
    const used = await run(working(), [...metrics, "--status", `127.0.0.1:${port}`]);
    server.close();
    assert.equal(used.code, 0, used.stderr);
    assert.match(used.stderr, /warning: cannot listen on .*choose another --metrics-port, or/);
    assert.match(used.stderr, /warning: cannot listen on .*choose another --status/);
    const { code, stderr } = await run(working(), ["--status", "unix:/nowhere/status.sock"]);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /cannot listen on \/nowhere\/status\.sock: its directory does not exist/);
  });

  for (
    const [what, flaw, issue] of [
      ["for clients alone", /is not made for servers/, {
        usages: ["client"],
        names: ["a.example"],
      }],
      ["without a name", /has no subject alternative name/, { usages: ["server"] }],
      ["that ends soon", /ends in 8 days, on 20\d\d-/, {
        usages: ["server"],
        names: ["a.example"],
        notAfter: new Date(Date.now() + 9 * 86_400_000 - 1_000),
        notBefore: new Date(Date.now() - 80 * 86_400_000),
      }],
    ] as const satisfies readonly (readonly [string, RegExp, Partial<IssueRequest>])[]
  ) {
    test(`warns of a server certificate ${what}`, SLOW, async () => {
      const { code, stderr } = await run(working(), await identity(issue));
      assert.equal(code, 0, stderr);
      assert.match(stderr, /^keyless config check: warning: auth_cert .*CN=flawed [^\n]*\n$/);
      assert.match(stderr, flaw);
    });
  }

  test("says nothing of a fresh certificate of a week", SLOW, async () => {
    const issue = {
      usages: ["server"],
      names: ["a.example"],
      notAfter: new Date(Date.now() + 7 * 86_400_000),
    } as const;
    const { code, stderr } = await run(working(), await identity(issue));
    assert.equal(stderr, "");
    assert.equal(code, 0);
  });

  test("warns of a client CA that is no CA", SLOW, async () => {
    const args = ["--cloudflare-ca-cert", dev.clientCertificate];
    const { code, stderr } = await run(working(), args);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /warning: cloudflare_ca_cert .*CN=keyless dev client is no authority's/);
  });

  test("fails for a server certificate that is not valid yet", SLOW, async () => {
    const args = await identity({
      usages: ["server"],
      names: ["a.example"],
      notBefore: new Date("2040-01-01"),
      notAfter: new Date("2041-01-01"),
    });
    const { code, stdout, stderr } = await run(working(), ["--json", ...args]);
    assert.equal(code, 1, stderr);
    const { ok, problems } = JSON.parse(stdout);
    assert.equal(ok, false);
    assert.match(problems[0].message, /CN=flawed is valid from 2040-01-01T00:00:00\.000Z on$/);
  });

  test("fails for a certificate that has expired, and warns of an open key", SLOW, async () => {
    const authority = await Authority.create("another CA");
    const { certificatePem, keyPem } = await authority.issue({
      commonName: "old\u001b[31m",
      usages: ["server"],
      notBefore: new Date("2020-01-01"),
      notAfter: new Date("2020-02-01"),
    });
    const [certificate, key] = [directory.at("old.pem"), directory.at("old-key.pem")];
    writeFileSync(certificate, certificatePem);
    writeFileSync(key, keyPem, { mode: 0o644 });
    const args = ["--auth-cert", certificate, "--auth-key", key];
    const { code, stderr } = await run(working(), args);
    assert.equal(code, 1, stderr);
    assert.match(
      stderr,
      /warning: auth_key \S+old-key\.pem is open to others \(mode 0644\); chmod 600 it/,
    );
    assert.match(stderr, /check: auth_cert .*CN=old.*\[31m.* has expired on 2020-02-01T00:00:00/);
    assert.ok(!stderr.includes("\u001b"));
  });

  test("warns where there are no keys", SLOW, async () => {
    const empty = directory.at("no-keys");
    mkdirSync(empty, { recursive: true });
    const { code, stdout, stderr } = await run(working(), ["--private-key-dirs", empty]);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /warning: there are no keys to serve: name directories/);
    assert.match(stdout, /^ok {2}keys {11}0$/m);
  });

  test("with --keep-going leaves a broken key out, and names it", SLOW, async () => {
    const keys = directory.at("some-keys");
    mkdirSync(keys);
    copyFileSync(dev.clientKey, join(keys, "good.key"));
    writeFileSync(join(keys, "bad.key"), "no key", { mode: 0o600 });
    const args = ["--private-key-dirs", keys];
    const refused = await run(working(), args);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /bad\.key: /);
    const { code, stdout, stderr } = await run(working(), [...args, "--keep-going"]);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /warning: a key is left out: \S+bad\.key: /);
    assert.match(stdout, /^ok {2}keys {11}1, 1 left out$/m);
  });

  test("refuses a passphrase file that is missing", SLOW, async () => {
    const { code, stderr } = await run(working(), ["--passphrase-file", "/nonexistent"]);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /the passphrase file \/nonexistent cannot be read: no such file/);
  });
});
