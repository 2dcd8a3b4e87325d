/**
 * Does what README.md says, word for word and in its order: its commands are the first that a user
 * types. So they listen on the port that users get, 2407, on loopback.
 */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import process from "node:process";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { EXIT_MEANINGS } from "../../src/errors/table.ts";
import { makeTempDir, type TempDir } from "../support/temp_dir.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const README = readFileSync(`${ROOT}README.md`, "utf8");

let directory: TempDir;
/** Where the user's shell is. */
let cwd: string;
let server: ChildProcess | undefined;

before(() => {
  directory = makeTempDir();
  cwd = directory.path;
});
after(async () => {
  await stopServer("SIGKILL");
  directory.remove();
});

/** The blocks of a language, in their order. */
function blocksOf(language: string): string[] {
  const fences = README.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, "gms"));
  return Array.from(fences, ([, block]) => block ?? "");
}

const environment = { ...process.env, PATH: `${ROOT}dist:${process.env["PATH"]}` };

function run(block: string): string {
  return execFileSync("sh", ["-euc", block], {
    cwd,
    env: environment,
    encoding: "utf8",
    stdio: "pipe",
  });
}

/** Runs a block as the user's shell does, which stays where the block went. */
function type(block: string): void {
  run(`${block}pwd >"${directory.at("cwd")}"`);
  cwd = readFileSync(directory.at("cwd"), "utf8").trimEnd();
}

/** Starts what serves until it is stopped, and waits until it says `ready`. */
async function startServer(block: string, where: string, ready: RegExp): Promise<void> {
  const child = spawn("sh", ["-euc", `exec ${block}`], {
    cwd: where,
    env: environment,
    detached: true,
  });
  server = child;
  let output = "";
  await new Promise<void>((resolve, reject) => {
    const take = (chunk: Uint8Array) => {
      output += new TextDecoder().decode(chunk);
      if (ready.test(output)) resolve();
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.once("close", () => reject(new Error(`it ended:\n${output}`)));
  });
}

/** Signals the group, as a terminal does. */
async function stopServer(signal: NodeJS.Signals): Promise<number | null | undefined> {
  const child = server;
  server = undefined;
  if (child?.pid === undefined) return undefined;
  const closed = new Promise<number | null>((resolve) => child.once("close", resolve));
  process.kill(-child.pid, signal);
  return await closed;
}

test("the commands of the README work, in its order", { timeout: 120_000 }, async () => {
  const blocks = blocksOf("sh");
  assert.ok(blocks.length >= 8);
  let ran = 0;
  for (const block of blocks) {
    if (block === "sh scripts/test.sh\n") {
      // this test is a part of it
      assert.match(readFileSync(`${ROOT}.ci/run`, "utf8"), /sh scripts\/test\.sh/);
    } else if (block === "sh scripts/quickstart.sh\n") {
      await startServer(block, ROOT, /It works\./);
      assert.equal(await stopServer("SIGINT"), 0);
    } else if (block.startsWith("keyless serve")) {
      if (server !== undefined) assert.equal(await stopServer("SIGINT"), 0);
      await startServer(block, cwd, /"event":"listening"/);
    } else {
      type(block);
    }
    ran += 1;
  }
  assert.equal(ran, blocks.length);
});

test("the README's program signs, on Bun and on Deno", () => {
  const [program = ""] = blocksOf("ts");
  mkdirSync(`${cwd}/node_modules`);
  symlinkSync(ROOT, `${cwd}/node_modules/keyless`);
  writeFileSync(`${cwd}/package.json`, '{ "type": "module" }');
  writeFileSync(`${cwd}/sign.ts`, `${program}\nconsole.log(signature.length);\n`);
  assert.equal(run(`${ROOT}node_modules/.bin/bun sign.ts`), "256\n");
  assert.equal(run(`${ROOT}node_modules/.bin/deno run -A --no-check sign.ts`), "256\n");
});

test("the README's exit codes are those of the table", () => {
  const shown = Object.entries(EXIT_MEANINGS).map(([code, meaning]) => `${code} ${meaning}`);
  assert.ok(README.replaceAll("\n", " ").includes(`Exit codes: ${shown.join(", ")}.`));
});

test("every flag that the README names is one", () => {
  const commands = [
    ...["serve", "ping", "bench", "bench compare", "keys list", "keys ski"],
    ...["hsm slots", "hsm keys", "hsm mechanisms", "hsm test"],
    ...["certs inspect", "certs expiry", "config check", "config show"],
  ];
  const helps = commands.map((command) => run(`keyless ${command} --help`)).join("\n");
  const flags = new Set(Array.from(README.matchAll(/--[a-z][a-z-]+/g), ([flag]) => flag));
  const others = new Set(["--allow-ffi", "--cacert"]); // Deno's, curl's
  const unknown = [...flags].filter((flag) => !helps.includes(flag) && !others.has(flag));
  assert.deepEqual(unknown, []);
});
