/** scripts/bench.sh, without the packages that it would install. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { resultOf } from "../support/cli.ts";
import { makeTempDir, type TempDir } from "../support/temp_dir.ts";

const SLOW = { timeout: 60_000 };
const SCRIPT = fileURLToPath(new URL("../../scripts/bench/main.ts", import.meta.url));

let directory: TempDir;
before(() => {
  directory = makeTempDir();
});
after(() => directory.remove());

/** What it makes for the time of its run is made in `directory`. */
function start(...args: readonly string[]) {
  const env = { ...process.env, TMPDIR: directory.path };
  return spawn(process.execPath, [SCRIPT, ...args], { env, stdio: "pipe" });
}

const BRIEF = ["--warmup", "0.3", "--seconds", "0.3", "--rounds", "1"];

describe("the script that measures", () => {
  test("takes figures, says what was reached, and leaves nothing behind", SLOW, async () => {
    const json = directory.at("figures.json");
    const { code, stdout, stderr } = await resultOf(
      start("--only", "ping", ...BRIEF, "--json", json),
    );
    assert.match(stderr, /^(?:warning: the load average .*\n)?ping, round 1 of 1: ping\n$/);
    assert.match(
      stdout,
      /^ping +[\d,]+\/s +[\d.]+ µs +[\d.]+ µs +\S+ ms +\S+ ms +0\.0 % +\d+ MB$/m,
    );
    assert.match(stdout, /^ping: rate +[\d,]+\/s +at least 95,000\/s +(?:yes|NO)$/m);
    const { measurements: [ping, ...others] } = JSON.parse(readFileSync(json, "utf8"));
    assert.deepEqual(others, []);
    const [{ figures }] = ping.rows;
    assert.ok(figures.ratePerSecond > 1_000, `${figures.ratePerSecond}`);
    assert.ok(figures.cpuMicroseconds > 1 && figures.cpuMicroseconds < 1_000);
    const isReached = ping.checks.every((check: { isReached: boolean }) => check.isReached);
    assert.equal(code, isReached ? 0 : 1);
    assert.deepEqual(readdirSync(directory.path), ["figures.json"]);
  });

  test("ends everything that it has started on Ctrl-C", SLOW, async () => {
    const child = start("--only", "both-saturate");
    const ended = resultOf(child);
    while (processesIn(directory.path) < 1) await setImmediate(); // a server makes keys
    child.kill("SIGINT");
    assert.equal((await ended).code, 130);
    while (processesIn(directory.path) > 0) await setImmediate();
    assert.deepEqual(readdirSync(directory.path).filter((name) => name.startsWith("key")), []);
  });

  test(
    "says what there is to measure, and refuses half of the tables for the docs",
    SLOW,
    async () => {
      const unknown = await resultOf(start("--only", "pings"));
      assert.equal(unknown.code, 2);
      assert.match(
        unknown.stderr,
        /--only: there is no pings; give some of ping, P-256, .*, keys, /,
      );
      const half = await resultOf(start("--only", "ping", "--write-docs"));
      assert.equal(half.code, 2);
      assert.match(half.stderr, /--write-docs writes whole tables; leave --only out/);
    },
  );
});

/** Processes with a directory in their command line. */
function processesIn(path: string): number {
  return readdirSync("/proc").filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return readFileSync(`/proc/${name}/cmdline`, "utf8").includes(path);
    } catch {
      return false; // it has ended meanwhile
    }
  }).length;
}
