import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { shareAddresses } from "../../src/server/shared_addresses.ts";
import { makeTempDir, type TempDir } from "../support/temp_dir.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

let dir: TempDir;
before(() => {
  dir = makeTempDir();
});
after(() => dir.remove());

describe("addresses that workers share", () => {
  test("are a port that the system chose, and a socket whose file is removed in the end", async () => {
    const path = dir.at("a.sock");
    const addresses = await shareAddresses([{ host: "127.0.0.1", port: 0 }, { path }]);
    const [port, socket] = addresses.share();
    assert.deepEqual(port, { host: "127.0.0.1", port: addresses.port, reusePort: true });
    assert.ok(addresses.port! > 0);
    assert.ok("fd" in socket! && socket.path === path && existsSync(path));
    assert.deepEqual(addresses.share(), [port, socket], "the same for every worker");
    addresses.close();
    assert.equal(existsSync(path), false);
  });

  test("leave nothing behind where one of them is refused", async () => {
    const path = dir.at("b.sock");
    const nowhere = { path: dir.at("none", "c.sock") };
    await assert.rejects(shareAddresses([{ path }, nowhere]), { code: "LISTEN" });
    assert.equal(existsSync(path), false);
  });

  test("with a socket are refused where libc may not be called, and the message says why", () => {
    const path = dir.at("d.sock");
    const script = `import { shareAddresses } from "${ROOT}src/server/shared_addresses.ts";
      const refused = await shareAddresses([{ path: "${path}" }]).catch((error) => error);
      console.log(refused.code, refused.message);`;
    const options = ["run", "-A", "--deny-ffi", "--no-check", "--ext=ts", "-"];
    const output = execFileSync(`${ROOT}node_modules/.bin/deno`, options, {
      cwd: ROOT,
      input: script,
      encoding: "utf8",
    });
    assert.match(output, /^LISTEN cannot listen on .+d\.sock: .+Linux.+on Deno --allow-ffi/);
    assert.equal(existsSync(path), false);
  });
});
