import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Programs of the system that the scripts call; all others are stand-ins of these tests. */
const SYSTEM_TOOLS = [
  "sh",
  "bash",
  "find",
  "tr",
  "touch",
  "dirname",
  "sed",
  "rm",
  "mkdir",
  "chmod",
  "cat",
];

/** Stand-ins that note how they were called, and what else they do. */
const STAND_INS = {
  node: `case "$1" in -p) echo 20 ;; esac`,
  npm: `
    for tool in bun deno; do
      mkdir -p node_modules/$tool node_modules/.bin
      cp -f "$STAND_INS/$tool" node_modules/.bin/$tool
    done
    mkdir -p node_modules/pkcs11js/build/Release
    echo > node_modules/pkcs11js/build/Release/pkcs11.node
    echo > node_modules/.package-lock.json`,
  "apt-get": `
    case "$*" in *install*)
      for tool in openssl promtool chromium softhsm2-util pkcs11-tool; do
        [ -e "$STAND_INS/$tool" ] || ln -sf "$STAND_INS/deno" "$STAND_INS/$tool"
      done
    esac`,
  id: "echo 0",
  openssl: "",
  promtool: "",
  chromium: "",
  "softhsm2-util": "",
  "pkcs11-tool": "",
  python3: "",
  make: "",
  "g++": "",
  bun: "",
  deno: `case "$*" in *"quiet test"*) echo "3 passed, 0 failed" ;; esac`,
};

let folder: string;
let project: string;
let standIns: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "keyless test sh "));
  project = join(folder, "a project");
  standIns = join(folder, "bin");
  mkdirSync(standIns);
  mkdirSync(join(project, ".ci"), { recursive: true });
  cpSync(join(ROOT, "scripts"), join(project, "scripts"), { recursive: true });
  cpSync(join(ROOT, ".ci/run"), join(project, ".ci/run"));
  writeFileSync(join(project, "package-lock.json"), "{}");
  for (const tool of [...SYSTEM_TOOLS, "cp", "ln"]) {
    symlinkSync(systemTool(tool), join(standIns, tool));
  }
  for (const [name, script] of Object.entries(STAND_INS)) standIn(name, script);
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("scripts/test.sh", () => {
  test("installs the npm packages, runs the checks and then the tests", () => {
    const { code, stdout, calls } = run();
    assert.equal(code, 0, stdout);
    assert.equal(stdout.trimEnd().split("\n").at(-1), "3 passed, 0 failed");
    assert.deepEqual(calls.filter((call) => !call.includes("--version")), [
      'node -p process.versions.node.split(".")[0]',
      "npm ci --no-audit --no-fund --loglevel=error",
      "deno task --quiet checks",
      "deno task --quiet test",
    ]);
  });

  test("hands its arguments to the runner, and the runner's exit code on", () => {
    standIn("deno", `case "$*" in *"quiet test"*) echo "1 passed, 2 failed"; exit 7 ;; esac`);
    const { code, stdout, calls } = run("test/bytes", "--runtime=bun");
    assert.equal(code, 7);
    assert.equal(stdout.trimEnd().split("\n").at(-1), "1 passed, 2 failed");
    assert.ok(calls.includes("deno task --quiet test test/bytes --runtime=bun"));
  });

  test("runs no tests where the checks fail, and counts that as a failure", () => {
    standIn("deno", `case "$*" in *checks*) exit 1 ;; esac`);
    const { code, stdout, calls } = run();
    assert.equal(code, 1);
    assert.equal(stdout.trimEnd().split("\n").at(-1), "0 passed, 1 failed");
    assert.ok(!calls.includes("deno task --quiet test"));
  });

  test("installs the npm packages once, and again when the lock file is newer", () => {
    run();
    assert.equal(count(run().calls, "npm ci"), 1);
    const future = new Date(Date.now() + 60_000);
    utimesSync(join(project, "package-lock.json"), future, future);
    assert.equal(count(run().calls, "npm ci"), 2);
  });

  test("stops where the npm packages cannot be installed", () => {
    standIn("npm", "exit 1");
    const { code, stdout, stderr } = run();
    assert.equal(code, 1);
    assert.match(stderr, /npm ci failed/);
    assert.match(stdout, /^0 passed, 1 failed$/m);
  });

  test("runs the install script of a runtime that npm left unfinished", () => {
    standIn("bun", `[ -e "$STAND_INS/../finished" ]`);
    standIn("node", `case "$1" in -p) echo 20 ;; *.js) echo > "$STAND_INS/../finished" ;; esac`);
    const { code, calls } = run();
    assert.equal(code, 0);
    assert.ok(calls.includes("node install.js"));
  });

  test("stops where a runtime does not run on this machine", () => {
    standIn("bun", "exit 1");
    const { code, stderr } = run();
    assert.equal(code, 1);
    assert.match(stderr, /node_modules\/\.bin\/bun does not run on this machine/);
  });

  test("compiles the addon for PKCS#11 where npm has run no install scripts", () => {
    const build = "node_modules/pkcs11js/build/Release";
    standIn(
      "npm",
      `case "$1" in
        ci) ${STAND_INS.npm}
          rm ${build}/pkcs11.node ;;
        rebuild) echo > ${build}/pkcs11.node ;;
      esac`,
    );
    const { code, calls } = run();
    assert.equal(code, 0);
    assert.ok(calls.includes("npm rebuild --loglevel=error pkcs11js"));
  });

  test("says what the addon for PKCS#11 needs where it cannot be compiled", () => {
    standIn("npm", `${STAND_INS.npm}\nrm -r node_modules/pkcs11js`);
    const { code, stderr } = run();
    assert.equal(code, 1);
    assert.match(
      stderr,
      /addon for PKCS#11 was not compiled\. With python3, make, g\+\+ and Node's/,
    );
    assert.equal(run("--allow-skips").code, 0);
  });

  test("installs missing Debian packages as root", () => {
    rmSync(join(standIns, "openssl"));
    const { code, calls } = run();
    assert.equal(code, 0);
    assert.ok(calls.includes("apt-get -q update"));
    assert.ok(calls.includes("apt-get -q install -y --no-install-recommends openssl"));
  });

  test("installs the Debian packages that only the tests need", () => {
    rmSync(join(standIns, "promtool"));
    rmSync(join(standIns, "chromium"));
    rmSync(join(standIns, "softhsm2-util"));
    rmSync(join(standIns, "pkcs11-tool"));
    const { code, calls } = run();
    assert.equal(code, 0);
    const install = "apt-get -q install -y --no-install-recommends";
    assert.ok(calls.includes(`${install} prometheus chromium softhsm2 opensc`));
  });

  test("asks for no Debian package where none is missing", () => {
    assert.equal(count(run().calls, "apt-get"), 0);
  });

  test("names missing packages and how to install them where it is not root", () => {
    rmSync(join(standIns, "openssl"));
    standIn("id", "echo 1000");
    const { code, stdout, stderr, calls } = run();
    assert.equal(code, 1);
    assert.match(stderr, /missing: openssl\. Install with: sudo apt-get install -y openssl/);
    assert.match(stdout, /^0 passed, 1 failed$/m);
    assert.equal(count(calls, "apt-get") + count(calls, "npm"), 0);
  });

  test("goes on without them where that is allowed, and still names them", () => {
    rmSync(join(standIns, "openssl"));
    standIn("id", "echo 1000");
    const { code, stderr, calls } = run("--allow-skips");
    assert.equal(code, 0);
    assert.match(stderr, /missing: openssl/);
    assert.ok(calls.includes("deno task --quiet test --allow-skips"));
  });

  test("names packages that apt-get could not bring", () => {
    rmSync(join(standIns, "openssl"));
    standIn("apt-get", "exit 100");
    const { code, stderr } = run();
    assert.equal(code, 1);
    assert.match(stderr, /missing: openssl/);
  });

  for (const tool of ["node", "npm"]) {
    test(`asks for Node where ${tool} is missing`, () => {
      rmSync(join(standIns, tool));
      const { code, stderr } = run();
      assert.equal(code, 1);
      assert.match(stderr, new RegExp(`${tool} is missing\\. Install Node\\.js 20 or newer`));
    });
  }

  test("asks for a newer Node where it is too old", () => {
    standIn("node", "echo 18");
    const { code, stderr } = run();
    assert.equal(code, 1);
    assert.match(stderr, /Node\.js 18 is too old; 20 or newer is needed/);
  });

  test("explains itself without doing anything", () => {
    const { code, stdout, calls } = run("--help");
    assert.equal(code, 0);
    assert.match(stdout, /^usage: sh scripts\/test\.sh/m);
    assert.deepEqual(calls, []);
  });
});

test(".ci/run ends with the line that scripts/test.sh ends with, and with its exit code", () => {
  standIn("deno", `case "$*" in *"quiet test"*) echo "4 passed, 1 failed"; exit 1 ;; esac`);
  const { code, stdout } = runScript("bash", ".ci/run");
  assert.equal(code, 1);
  assert.equal(stdout.trimEnd().split("\n").at(-1), "4 passed, 1 failed");
});

interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** How the stand-ins were called so far, in order. */
  readonly calls: readonly string[];
}

function run(...args: readonly string[]): Ran {
  return runScript("sh", "scripts/test.sh", ...args);
}

/** Runs a script of the project from another directory, seeing the stand-ins alone. */
function runScript(shell: string, script: string, ...args: readonly string[]): Ran {
  const { status, stdout, stderr } = spawnSync(
    join(standIns, shell),
    [join(project, script), ...args],
    { cwd: folder, encoding: "utf8", env: { PATH: standIns, STAND_INS: standIns } },
  );
  const log = join(standIns, "calls");
  const calls = existsSync(log) ? readFileSync(log, "utf8").trimEnd().split("\n") : [];
  return { code: status, stdout, stderr, calls };
}

function standIn(name: string, script: string): void {
  const path = join(standIns, name);
  writeFileSync(path, `#!/bin/sh\necho "${name} $*" >> "$STAND_INS/calls"\n${script}\n`);
  chmodSync(path, 0o755);
}

function systemTool(name: string): string {
  const found = ["/bin", "/usr/bin"].map((place) => join(place, name)).find(existsSync);
  assert.ok(found !== undefined, `${name} is missing on this machine`);
  return found;
}

function count(calls: readonly string[], start: string): number {
  return calls.filter((call) => call.startsWith(start)).length;
}
