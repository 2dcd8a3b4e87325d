import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { systemCode } from "../../src/errors/system.ts";
import { MAX_SOCKET_PATH_BYTES } from "../../src/bytes/socket_path.ts";
import { openUnixSocketCalls } from "../../src/runtime/unix_listener.ts";
import { makeTempDir, type TempDir } from "../support/temp_dir.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;

const calls = openUnixSocketCalls()!;
let dir: TempDir;
before(() => {
  dir = makeTempDir();
});
after(() => dir.remove());

/** A path in the directory that has so many bytes. */
const pathOf = (lengthBytes: number) => dir.at("".padEnd(lengthBytes - dir.path.length - 1, "p"));

describe("calls on UNIX sockets", () => {
  test("make descriptors that do not block, and that child processes do not get", () => {
    const first = calls.listen(dir.at("flags.sock"));
    const second = calls.duplicate(first);
    assert.notEqual(first, second);
    for (const descriptor of [first, second]) {
      assert.equal(flagsOf(descriptor) & (O_NONBLOCK | O_CLOEXEC), O_NONBLOCK | O_CLOEXEC);
      calls.close(descriptor);
    }
  });

  test("bind the longest path that there can be, and one longer is an error", () => {
    const longest = pathOf(MAX_SOCKET_PATH_BYTES);
    const descriptor = calls.listen(longest);
    assert.ok(existsSync(longest));
    calls.close(descriptor);
    for (const beyond of [1, 100]) {
      assert.throws(() => calls.listen(pathOf(MAX_SOCKET_PATH_BYTES + beyond)), /^Error: EINVAL: /);
    }
  });

  test("fail with the system's code, and leave no descriptor behind", () => {
    const taken = dir.write("taken", "");
    const before = readdirSync("/proc/self/fd").length;
    for (let count = 0; count < 50; count++) {
      for (
        const [path, code] of [[taken, "EADDRINUSE"], [dir.at("none", "x"), "ENOENT"]] as const
      ) {
        assert.throws(() => calls.listen(path), (error) => systemCode(error) === code);
      }
    }
    assert.throws(() => calls.duplicate(99_999), /^Error: EBADF: bad file descriptor, dup$/);
    assert.equal(readdirSync("/proc/self/fd").length, before);
  });

  test("are not to be had where libc may not be called", () => {
    const script = `import { openUnixSocketCalls } from "${ROOT}src/runtime/unix_listener.ts";
      import { threadCpuClock } from "${ROOT}src/runtime/thread_cpu.ts";
      console.log(openUnixSocketCalls(), threadCpuClock());`;
    const options = ["run", "-A", "--deny-ffi", "--no-check", "--ext=ts", "-"];
    const output = execFileSync(`${ROOT}node_modules/.bin/deno`, options, {
      cwd: ROOT,
      input: script,
      encoding: "utf8",
    });
    assert.equal(output, "undefined undefined\n");
  });
});

function flagsOf(descriptor: number): number {
  const info = readFileSync(`/proc/self/fdinfo/${descriptor}`, "utf8");
  return parseInt(/^flags:\s*(\d+)$/m.exec(info)![1]!, 8);
}
