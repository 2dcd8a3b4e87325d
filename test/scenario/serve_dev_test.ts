import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { lstatSync, readdirSync } from "node:fs";
import { after, afterEach, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { PROGRAM_NAMES, RunningServer } from "../support/running_server.ts";
import { makeTempDir, type TempDir } from "../support/temp_dir.ts";

const run = promisify(execFile);

let directory: TempDir;
let server: RunningServer | undefined;

before(() => {
  directory = makeTempDir();
});
after(() => directory.remove());
afterEach(async () => {
  await server?.kill();
  server = undefined;
});

for (const program of PROGRAM_NAMES) {
  describe(`serve --dev of the ${program}`, () => {
    test("makes a closed directory, listens on loopback alone, and signs for ping", async () => {
      const dev = directory.at(program);
      server = await RunningServer.start(["--dev", "--dev-dir", dev, "--port", "0"], { program });
      assert.equal(lstatSync(dev).mode & 0o777, 0o700);
      const listening = await server.event("listening");
      assert.deepEqual(listening["addresses"], [`127.0.0.1:${server.port}`]);
      const keyFiles = readdirSync(`${dev}/keys`).filter((name) => name.endsWith(".key"));
      assert.equal(listening["keys"], keyFiles.length);
      assert.match(String(listening["crypto"]), /^OpenSSL 3\./);
      const line = (await server.printed(/ ping .*\n/)).match(/^ {2}(.* ping .*)$/m)?.[1] ?? "";
      const { stdout } = await run("sh", ["-c", withInstalledRuntimes(line)]);
      assert.match(stdout, /0% loss/);
      assert.equal(await server.stop(), 0);
    });
  });
}

test("serve --dev refuses to listen beyond loopback", async () => {
  const args = ["--dev", "--dev-dir", directory.at("executable"), "--bind", "0.0.0.0"];
  server = new RunningServer(args);
  assert.equal(await server.ended, 2);
  assert.match(server.stderr, /--bind 0\.0\.0\.0: --dev serves on loopback alone/);
});

test("serve --dev refuses a directory that others can enter", async () => {
  server = new RunningServer(["--dev", "--dev-dir", "/tmp", "--port", "0"]);
  assert.equal(await server.ended, 2);
  assert.match(server.stderr, /\/tmp/);
});

/** The line names the runtimes as users have them, on the PATH. */
function withInstalledRuntimes(line: string): string {
  return `PATH="$PWD/node_modules/.bin:$PATH"; ${line} -c 1`;
}
