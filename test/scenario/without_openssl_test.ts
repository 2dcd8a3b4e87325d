/**
 * A machine without OpenSSL 3, played by a mount namespace in which its library is an empty file; and
 * Deno without the permission to call it.
 */
import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { createHash, verify } from "node:crypto";
import { existsSync } from "node:fs";
import process from "node:process";
import { after, afterEach, before, describe, test } from "node:test";
import { LIBCRYPTO_PATHS } from "../../src/runtime/libcrypto.ts";
import { makeKey } from "../support/openssl.ts";
import { PROGRAMS, type RunOptions } from "../support/running_server.ts";
import { LOCAL, ServeFixture } from "../support/serve_fixture.ts";

const HIDE = LIBCRYPTO_PATHS.filter((path) => existsSync(path))
  .map((path) => `mount --bind /dev/null ${path}`).join(" && ");
/** Root may do it in a container too; anybody else becomes root in a namespace of users. */
const UNSHARE = process.getuid?.() === 0 ? "-m" : "-rm";
const mayHide = spawnSync("unshare", [UNSHARE, "sh", "-c", HIDE]).status === 0;
const skip = mayHide ? false : "this system permits no mount namespaces";

let fixture: ServeFixture;

before(async () => {
  fixture = await ServeFixture.create();
  fixture.directory.write("ec.key", makeKey("P-256"));
  fixture.directory.write("rsa.key", makeKey("RSA 2048"));
  fixture.directory.write("ed25519.key", makeKey("Ed25519"));
});
after(() => fixture.remove());
afterEach(() => fixture.killServer());

/** `keyless keys list` where there is no OpenSSL: it loads keys as `serve` does. */
function listKeys(...args: readonly string[]) {
  const command = [...PROGRAMS.executable, "keys", "list", ...args].join(" ");
  return new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) => {
    execFile(
      "unshare",
      [UNSHARE, "sh", "-c", `${HIDE} && exec ${command}`],
      { cwd: fixture.directory.path },
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

const MACHINES: readonly [what: string, skip: false | string, options: RunOptions][] = [
  [
    "the executable without OpenSSL",
    skip,
    { program: "executable", within: ["unshare", UNSHARE], before: HIDE },
  ],
  ["Deno without --allow-ffi", false, { program: "denoWithoutFfi" }],
];

for (const [what, skip, options] of MACHINES) {
  describe(`serve by ${what}`, () => {
    test("signs with RSA and Ed25519 keys, and logs which engine does", { skip }, async () => {
      const files = ["--private-key-files", "rsa.key,ed25519.key"];
      const server = await fixture.start([...LOCAL, ...files], options);
      assert.match(String((await server.event("listening"))["crypto"]), /^node:crypto of /);
      assert.ok(server.lines.some(({ level, msg }) => level === "warn" && REFUSES_EC.test(msg)));

      const client = fixture.connect({ port: server.port });
      const message = new TextEncoder().encode("hello");
      const digest = createHash("sha256").update(message).digest();
      const rsa = fixture.publicKey("rsa.key");
      const byRsa = await client.sign({ ski: rsa.ski }, "rsa-sha256", digest);
      assert.ok(verify("sha256", message, rsa.key, byRsa));
      const ed25519 = fixture.publicKey("ed25519.key");
      const byEd25519 = await client.sign({ ski: ed25519.ski }, "ed25519", message);
      assert.ok(verify(null, message, ed25519.key, byEd25519));
      client.close();
      assert.equal(await server.stop(), 0);
    });

    test("does not start with an EC key, and says what to do", { skip }, async () => {
      const files = ["--private-key-files", "rsa.key,ec.key"];
      const stderr = await fixture.refusal(files, options);
      assert.match(stderr, /ec\.key: EC keys need OpenSSL 3.*libssl3.*--crypto portable/s);
    });
  });
}

const REFUSES_EC = /by the portable engine, EC keys are refused/;
