/** Where the addon for PKCS#11 cannot be loaded, its commands say what is missing, and others work. */
import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import process from "node:process";
import { keyOf } from "../support/openssl.ts";
import { PROGRAMS } from "../support/running_server.ts";
import { makeSoftHsm, type SoftHsm } from "../support/softhsm.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const SLOTS = ["hsm", "slots", "--module", "softhsm2"];

let hsm: SoftHsm;
before(() => {
  hsm = makeSoftHsm();
  hsm.addToken("prod");
  hsm.dir.write("some.key", keyOf("P-256"));
});
after(() => hsm.remove());

function run(
  [program = "", ...args]: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly code: unknown; readonly stdout: string; readonly stderr: string }> {
  const options = { cwd: hsm.dir.path, env: { ...process.env, ...hsm.env, ...env } };
  return new Promise((resolve) => {
    execFile(program, args, options, (error, stdout, stderr) => {
      resolve({ code: error?.code ?? 0, stdout, stderr });
    });
  });
}

/** Runs in a mount namespace of its own, which some systems refuse. */
const UNSHARE = ["unshare", process.getuid?.() === 0 ? "-m" : "-rm"] as const;
const mayMount = spawnSync(UNSHARE[0], [UNSHARE[1], "mount", "-t", "tmpfs", "none", "/mnt"]);
const skip = mayMount.status === 0 ? false : "this system permits no mount namespaces";
const within = (mount: string, words: readonly string[]) => {
  return [...UNSHARE, "sh", "-c", `${mount} && exec "$0" "$@"`, ...words];
};

async function assertMissing(command: readonly string[], env = {}, message = /TMPDIR, which must/) {
  const { code, stdout, stderr } = await run([...command, ...SLOTS], env);
  assert.equal(code, 2);
  assert.equal(stdout, "");
  assert.match(stderr, /^keyless hsm slots: PKCS#11 is not available: .*addon cannot be loaded/);
  assert.match(stderr, message);
  assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
  const others = await run([...command, "keys", "list", "some.key"], env);
  assert.deepEqual([others.code, others.stderr], [0, ""]);
  assert.match(others.stdout, /^some\.key +EC P-256/m);
}

describe("the executable", () => {
  const { executable } = PROGRAMS;

  test("says that TMPDIR is missing, where its directory is not there", async () => {
    await assertMissing(executable, { TMPDIR: hsm.dir.at("none") });
  });

  test("says so where nobody may write there", async () => {
    await assertMissing(executable, { TMPDIR: "/proc" });
  });

  test("says so where it is mounted for reading alone", { skip }, async () => {
    const mount = "mount -t tmpfs -o ro none /mnt";
    await assertMissing(within(mount, executable), { TMPDIR: "/mnt" });
  });

  test("says so where no programs may run there", { skip }, async () => {
    const mount = "mount -t tmpfs -o noexec none /mnt";
    await assertMissing(within(mount, executable), { TMPDIR: "/mnt" });
  });

  test("carries the addon: it needs no packages beside it", { skip }, async () => {
    const mount = `mount -t tmpfs none '${ROOT}node_modules'`;
    const { code, stdout } = await run([...within(mount, executable), ...SLOTS]);
    assert.equal(code, 0);
    assert.match(stdout, /^ {2}slot \d+: prod$/m);
  });
});

describe("the sources, without the optional packages", () => {
  before(() => {
    const modules = hsm.dir.at("node_modules");
    mkdirSync(modules);
    for (const name of readdirSync(`${ROOT}node_modules`)) {
      if (name === "graphene-pk11" || name === "pkcs11js") continue;
      symlinkSync(`${ROOT}node_modules/${name}`, `${modules}/${name}`);
    }
    for (const name of ["cli", "src", "package.json", "deno.json"]) {
      cpSync(`${ROOT}${name}`, hsm.dir.at(name), { recursive: true });
    }
  });

  const RUNTIMES: readonly [name: string, run: readonly string[]][] = [
    ["Bun", ["bun"]],
    ["Deno", ["deno", "run", "-A", "--no-check"]],
  ];
  for (const [name, [program, ...args]] of RUNTIMES) {
    test(`say what to install, on ${name}`, { timeout: 20_000 }, async () => {
      const command = [`${ROOT}node_modules/.bin/${program}`, ...args, "cli/main.ts"];
      await assertMissing(command, {}, /install python3, make and g\+\+/);
    });
  }
});
