/** What an operator sees on a terminal, and a log collector through a pipe. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import process from "node:process";
import { after, afterEach, before, describe, test } from "node:test";
import { quoted } from "../../cli/invocation.ts";
import { keyOf } from "../support/openssl.ts";
import { PROGRAM_NAMES, PROGRAMS } from "../support/running_server.ts";
import { LOCAL, ServeFixture } from "../support/serve_fixture.ts";

/** They take longer to load than goes by before progress is shown. */
const KEY_FILES = 1_000;
const KEYS = ["--private-key-dirs", "keys"];
const SERVE = ["serve", ...LOCAL, ...KEYS, "--metrics-port", "off", "--log-format", "auto"];

const CTRL_C = "\u0003";
const ERASE_TO_END = "\u001b[K";
/** Alone in its line, which is written over. */
const PROGRESS = new RegExp(`^loading keys: \\d+ of ${KEY_FILES}${RegExp.escape(ERASE_TO_END)}$`);

let fixture: ServeFixture;
let child: ChildProcess | undefined;
before(async () => {
  fixture = await ServeFixture.create();
  const { directory } = fixture;
  mkdirSync(directory.at("keys"));
  const key = keyOf("P-384");
  for (let index = 0; index < KEY_FILES; index++) directory.write(`keys/${index}.key`, key);
});
after(() => fixture.remove());
afterEach(() => void child?.kill("SIGKILL"));

for (const program of PROGRAM_NAMES) {
  const words = [...PROGRAMS[program], ...SERVE];

  describe(`serve --log-format auto of the ${program}`, () => {
    test("shows its progress on a terminal, takes it away, and logs for people", async () => {
      // `script` is a terminal to the program, and ends with the program's exit code
      const command = `exec ${words.map(quoted).join(" ")}`;
      const { output, code } = await runUntilListening(["script", "-qec", command, "/dev/null"]);
      assert.equal(code, 0);
      const pieces = output.split("\r").filter((piece) => piece.startsWith("loading keys: "));
      assert.ok(pieces.length > 1, "progress goes on");
      for (const piece of pieces) assert.match(piece, PROGRESS);
      const [, rest = ""] = output.split(`${pieces.at(-1)}\r${ERASE_TO_END}`);
      assert.match(rest, /^\[\d{4}-\d\d-\d\d [\d:.]+\] .*INFO.*: .*listening/m);
      assert.doesNotMatch(output, /"event"/);
    });

    test("writes JSON alone through a pipe, every line of it", async () => {
      const { output, code } = await runUntilListening(words);
      assert.equal(code, 0);
      const events = output.trimEnd().split("\n").map((line) => JSON.parse(line).event)
        .filter((event) => event !== "keys_proved"); // which comes when it is done
      assert.deepEqual(events.slice(-3), ["listening", "stopping", "stopped"]);
    });
  });
}

/** Ends it by Ctrl-C once it listens, and gives all that it wrote. */
async function runUntilListening([command = "", ...args]: readonly string[]) {
  const started = spawn(command, args, {
    cwd: fixture.directory.path,
    env: { ...environment(), SHELL: "/bin/sh", TERM: "xterm" },
    stdio: "pipe",
  });
  child = started;
  let output = "";
  const take = (chunk: Uint8Array) => {
    const wasListening = output.includes("listening");
    output += new TextDecoder().decode(chunk);
    if (wasListening || !output.includes("listening")) return;
    if (command === "script") started.stdin.write(CTRL_C);
    else started.kill("SIGINT");
  };
  started.stdout.on("data", take);
  started.stderr.on("data", take);
  const code = await new Promise<number | null>((resolve) => started.once("close", resolve));
  return { output, code };
}

/** Neither settings of the product, nor a wish of the tests' own for no colours. */
function environment(): Record<string, string | undefined> {
  const kept = Object.entries(process.env).filter(([name]) =>
    !name.startsWith("KEYLESS_") && name !== "NO_COLOR"
  );
  return Object.fromEntries(kept);
}
