/** Does what docs/hsm.md says, word for word: the walk through SoftHSM, and what its tables name. */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { MECHANISMS } from "../../src/hsm/operations.ts";
import { parseUri } from "../../src/hsm/uri.ts";
import { URI_ATTRIBUTES } from "../../src/hsm/uri_attributes.ts";
import { blocksOf, sectionsOf } from "../support/markdown.ts";
import { makeTempDir } from "../support/temp_dir.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const read = (path: string) => readFileSync(`${ROOT}${path}`, "utf8");
const PAGE = read("docs/hsm.md");
const sectionOf = (page: string, heading: string) => {
  const section = sectionsOf(page).find((each) => each.heading === heading);
  assert.ok(section, heading);
  return section.text;
};

const directory = makeTempDir();
let server: ChildProcess | undefined;
after(async () => {
  if (server?.exitCode === null) {
    const closed = new Promise((resolve) => server!.once("close", resolve));
    process.kill(-server.pid!, "SIGKILL");
    await closed;
  }
  directory.remove();
});

const environment = { ...process.env, PATH: `${ROOT}dist:${process.env["PATH"]}` };

function run(cwd: string, ...blocks: readonly string[]): string {
  const options = { cwd, env: environment, encoding: "utf8", stdio: "pipe" } as const;
  return execFileSync("sh", ["-euc", blocks.join("")], options);
}

test("the walk through SoftHSM works, in its order", { timeout: 90_000 }, async () => {
  const [prepare = ""] = blocksOf(sectionOf(read("README.md"), "Serve your own keys"), "sh");
  run(directory.path, prepare);
  const cwd = directory.at("my-keyless");
  const blocks = blocksOf(sectionOf(PAGE, "Try it with SoftHSM"), "sh");
  const at = blocks.findIndex((block) => block.startsWith("keyless serve"));
  const before = run(cwd, ...blocks.slice(0, at));
  assert.match(before, /slot \d+: tls$/m);
  assert.match(before, /^ {4}ecdsa-sha256 +verified/m);
  assert.match(before, /^Recommended: max-sessions=\d+: /m);
  assert.match(before, /^ok +key in token +"www\.example\.com" .*, signs$/m);

  const shell = `export SOFTHSM2_CONF="$PWD/softhsm2.conf"; exec ${blocks[at]}`;
  server = spawn("sh", ["-euc", shell], { cwd, env: environment, detached: true });
  let log = "";
  await new Promise<void>((resolve, reject) => {
    server!.stderr!.on("data", (chunk) => {
      log += String(chunk);
      if (log.includes('"event":"listening"')) resolve();
    });
    server!.once("close", () => reject(new Error(`it ended:\n${log}`)));
  });
  assert.match(run(cwd, ...blocks.slice(at + 1)), /^4 sent, 4 received, 0% loss$/m);

  const [check = ""] = blocksOf(sectionOf(PAGE, "Checks for CI"), "sh");
  assert.match(run(cwd, 'export SOFTHSM2_CONF="$PWD/softhsm2.conf"\n', check), /slot \d+: tls$/m);
});

test("every URI of the page is one", () => {
  const uris = Array.from(PAGE.matchAll(/- uri: (\S+)/g), ([, uri]) => uri!.replace("$PWD", "/x"));
  assert.ok(uris.length >= 10);
  for (const uri of uris) assert.ok(parseUri(uri), uri);
});

test("the table of attributes names those that there are", () => {
  const table = sectionOf(PAGE, "The URI");
  const named = Array.from(table.matchAll(/^\| (.*?) \|/gm), ([, cell]) => cell!);
  const names = named.flatMap((cell) =>
    Array.from(cell.matchAll(/`([a-z-]+)`/g), ([, name]) => name)
  );
  assert.ok(names.length > 10);
  for (const name of names) assert.ok(name! in URI_ATTRIBUTES, name);
});

test("the mechanisms that clients need are those that are used", () => {
  const table = sectionOf(PAGE, "Checks for CI").split("\n").filter((line) => line.startsWith("|"));
  const named = Array.from(table.join("\n").matchAll(/`(CKM_\w+)`/g), ([, name]) => name);
  assert.deepEqual(named.toSorted(), Object.keys(MECHANISMS).toSorted());
});

test("every flag and command that the page names is one", () => {
  const commands = ["serve", "config check", "ping", "bench", "hsm slots", "hsm keys", "hsm test"];
  const helps = commands.map((command) => run(ROOT, `keyless ${command} --help`)).join("\n");
  const ours = Array.from(PAGE.matchAll(/`keyless [^`]*`/g), ([command]) => command);
  assert.ok(ours.length > 10);
  const flags = [...ours.join(" ").matchAll(/--[a-z-]+/g)].map(([flag]) => flag);
  assert.deepEqual(flags.filter((flag) => !helps.includes(flag)), []);
});
