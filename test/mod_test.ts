import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import * as mod from "../src/mod.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const BIN = join(ROOT, "node_modules", ".bin");
const NAMES = [
  "ERRORS",
  "FormatError",
  "KeylessClient",
  "KeylessError",
  "OPCODES",
  "ServerError",
  "TransportError",
  "WIRE_ERRORS",
  "describePublicKey",
  "opcodeName",
  "wireErrorText",
];

test("the package exports these names and no others", () => {
  assert.deepEqual(Object.keys(mod).sort(), NAMES);
});

test("KeylessClient has these methods and no others", () => {
  const names = Object.getOwnPropertyNames(mod.KeylessClient.prototype).sort();
  assert.deepEqual(names, ["close", "constructor", "decrypt", "ping", "request", "sign"]);
});

describe("a program that depends on the package", () => {
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "keyless-mod-"));
    await mkdir(join(directory, "node_modules"));
    await symlink(ROOT, join(directory, "node_modules", "keyless"));
    await writeFile(join(directory, "package.json"), '{"type":"module"}');
    await writeFile(
      join(directory, "main.ts"),
      'import * as mod from "keyless";\nconsole.log(Object.keys(mod).sort().join());\n',
    );
  });
  after(() => rm(directory, { recursive: true }));

  const commands = [
    ["bun", "main.ts"],
    ["deno", "run", "-A", "--no-check", "--node-modules-dir=manual", "main.ts"],
  ];
  for (const [runtime, ...args] of commands) {
    test(`imports it by its name on ${runtime}`, async () => {
      const env = { ...process.env, NO_COLOR: "1" };
      const { stdout } = await promisify(execFile)(join(BIN, runtime!), args, {
        cwd: directory,
        env,
      });
      assert.equal(stdout.trim(), NAMES.join());
    });
  }
});
