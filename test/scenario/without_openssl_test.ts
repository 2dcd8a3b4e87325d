/** A machine without OpenSSL 3, played by a mount namespace in which its library is an empty file. */
import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import process from "node:process";
import { after, before, test } from "node:test";
import { LIBCRYPTO_PATHS } from "../../src/runtime/libcrypto.ts";
import { PROGRAMS } from "../support/running_server.ts";
import { makeTempDir, type TempDir } from "../support/temp_dir.ts";

const HIDE = LIBCRYPTO_PATHS.filter((path) => existsSync(path))
  .map((path) => `mount --bind /dev/null ${path}`).join(" && ");
/** Root may do it in a container too; anybody else becomes root in a namespace of users. */
const UNSHARE = process.getuid?.() === 0 ? "-m" : "-rm";
const mayHide = spawnSync("unshare", [UNSHARE, "sh", "-c", HIDE]).status === 0;
const skip = mayHide ? false : "this system permits no mount namespaces";

let directory: TempDir;

before(() => {
  directory = makeTempDir();
  for (const [name, ...options] of KEYS) {
    const args = ["genpkey", ...options, "-out", directory.at(name)];
    assert.equal(spawnSync("openssl", args).status, 0);
  }
});
after(() => directory.remove());

const KEYS: readonly (readonly [string, ...string[]])[] = [
  ["ec.key", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
  ["rsa.key", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
  ["ed25519.key", "-algorithm", "ED25519"],
];

/** `keyless keys list` where there is no OpenSSL: it loads keys as `serve` does. */
function listKeys(...args: readonly string[]) {
  const command = [...PROGRAMS.executable, "keys", "list", ...args].join(" ");
  return new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) => {
    execFile(
      "unshare",
      [UNSHARE, "sh", "-c", `${HIDE} && exec ${command}`],
      { cwd: directory.path },
      (error, stdout, stderr) => resolve({ code: error?.code ?? 0, stdout, stderr }),
    );
  });
}

test("RSA and Ed25519 keys are served without OpenSSL", { skip }, async () => {
  const { code, stdout } = await listKeys("rsa.key", "ed25519.key");
  assert.equal(code, 0);
  assert.match(stdout, /^rsa\.key +RSA +2048 /m);
  assert.match(stdout, /^ed25519\.key +Ed25519 /m);
});

test("an EC key is refused without OpenSSL, which is told how to install", { skip }, async () => {
  const { code, stderr } = await listKeys("ec.key");
  assert.equal(code, 2);
  assert.match(stderr, /ec\.key: EC keys need OpenSSL 3.*apt-get install libssl3.*portable/s);
});

test("an EC key is served without OpenSSL where that is asked for by name", { skip }, async () => {
  const { code, stdout } = await listKeys("ec.key", "--crypto", "portable");
  assert.equal(code, 0);
  assert.match(stdout, /^ec\.key +EC +P-256 /m);
});

test("libcrypto that is asked for by name and not there stops the start", { skip }, async () => {
  const { code, stderr } = await listKeys("rsa.key", "--crypto", "libcrypto");
  assert.equal(code, 2);
  assert.match(stderr, /libcrypto of OpenSSL 3 cannot be used.*apt-get install libssl3/s);
});
