/** The load of a benchmark on a real server, by the executable and by the sources on Deno. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";
import { describe, test } from "node:test";
import { OPERATION_NAMES } from "../../src/bench/mix.ts";
import { type CliResult, resultOf } from "../support/cli.ts";
import { DevServer } from "../support/dev_server.ts";
import { type Program, PROGRAM_NAMES, PROGRAMS, RunningServer } from "../support/running_server.ts";

const SLOW = { timeout: 60_000 };

const dev = DevServer.forFile();

function start(program: Program, args: readonly string[], port = dev.server.port) {
  const [command, ...first] = PROGRAMS[program];
  const words = [...first, "bench", "--dev", `127.0.0.1:${port}`, ...args];
  const child = spawn(command, words, { cwd: dev.directory.path, stdio: "pipe" });
  return { child, result: resultOf(child) };
}

function bench(program: Program, ...args: readonly string[]): Promise<CliResult> {
  return start(program, args).result;
}

for (const program of PROGRAM_NAMES) {
  describe(`bench of the ${program}`, () => {
    test("asks every operation that there is, and verifies the answers", SLOW, async () => {
      const args = ["--op", OPERATION_NAMES.join(), "--requests", "90", "--warmup", "0"];
      const more = ["--threads", "2", "--verify-every", "1", "--json"];
      const { code, stdout, stderr } = await bench(program, ...args, ...more);
      assert.equal(code, 0, stderr);
      const { totals, operations, verification, client } = JSON.parse(stdout);
      assert.equal(operations.length, OPERATION_NAMES.length);
      assert.equal(totals.answered, 90);
      assert.equal(verification.checked + verification.skipped, 90);
      assert.ok(verification.checked >= 80, "a runtime lacks MD5 with SHA-1");
      assert.equal(client.threads.length, 2);
      assert.ok(client.threads[0].cpuShare > 0);
    });

    test("asks at a rate, which the server counts too", SLOW, async () => {
      const before = await requestsOf(dev.server);
      const args = ["--rate", "200", "--duration", "1s", "--warmup", "0", "--json"];
      const { code, stdout } = await bench(program, ...args);
      assert.equal(code, 0);
      const { totals, pacerLatenessNs } = JSON.parse(stdout);
      assert.equal(totals.sent + totals.dropped, 200);
      assert.equal(
        await requestsOf(dev.server) - before,
        totals.sent + 1,
        "and one before the load",
      );
      assert.ok(pacerLatenessNs.length > 0);
    });

    test("a rate that the server cannot keep breaks a threshold of errors", SLOW, async () => {
      const load = ["--rate", "5000", "--in-flight", "2", "--connections", "1"];
      const args = ["--op", "rsa-sha256", ...load, "--duration", "500ms", "--warmup", "0"];
      const { code, stdout, stderr } = await bench(program, ...args, "--threshold", "errors<10%");
      assert.equal(code, 1, stderr);
      assert.match(stdout, /failed \(\d.* %\): [\d,]+ dropped\n/);
      assert.match(stderr, /^keyless bench: 1 of 1 threshold broken\n {2}errors<10%: \d+.* %\n$/);
    });

    test("an operation that no key can do is refused, exit 2", SLOW, async () => {
      const ski = ["--ski", "ab".repeat(20)];
      const { code, stderr } = await bench(program, "--op", "rsa-decrypt", ...ski);
      assert.equal(code, 2);
      assert.match(stderr, /--op rsa-decrypt needs an RSA key/);
    });
  });
}

test("more connections than the system has files for are refused, exit 2", SLOW, async () => {
  const words = ["bench", `127.0.0.1:${dev.server.port}`, "--dev", "--connections", "200"];
  const brief = ["--warmup", "0", "--requests", "400"];
  const run = (limit: string) => {
    const limited = `ulimit ${limit}; exec "$0" "$@"`;
    const all = [limited, ...PROGRAMS.executable, ...words, ...brief];
    return resultOf(spawn("sh", ["-c", ...all], { cwd: dev.directory.path, stdio: "pipe" }));
  };
  const { code, stderr } = await run("-n 200");
  assert.equal(code, 2);
  assert.match(stderr, /--connections is 200, but 200 files and sockets may be open here, .* -n\)/);
  const raised = await run("-S -n 200");
  assert.equal(raised.code, 0, raised.stderr);
});

test(
  "a server killed in the middle ends the run with what was measured, exit 3",
  SLOW,
  async () => {
    const doomed = await DevServer.start(dev.directory);
    const args = ["--duration", "10m", "--warmup", "0", "--save", "cut.json"];
    const { result } = start("executable", args, doomed.port);
    while (await requestsOf(doomed) < 1_000);
    await doomed.kill();
    const { code, stdout, stderr } = await result;
    assert.equal(code, 3);
    assert.match(stdout, /CONNECTION_LOST/);
    assert.match(stderr, /^keyless bench: .*connection refused/);
    const { totals, endedEarly } = JSON.parse(readFileSync(dev.directory.at("cut.json"), "utf8"));
    assert.ok(totals.answered > 500);
    assert.match(endedEarly, /connection refused/);
  },
);

test("Ctrl-C ends a run with its summary", SLOW, async () => {
  const before = await requestsOf(dev.server);
  const { child, result } = start("executable", ["--duration", "10m", "--warmup", "0"]);
  while (await requestsOf(dev.server) - before < 1_000);
  process.kill(child.pid!, "SIGINT");
  const { code, stdout } = await result;
  assert.equal(code, 0);
  assert.match(stdout, /ended early: interrupted/);
});

/** Requests that a server has counted. */
async function requestsOf({ metricsPort }: RunningServer): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${metricsPort}/metrics`);
  const text = await response.text();
  return [...text.matchAll(/^keyless_requests\{.*\} (\d+)/gm)]
    .reduce((sum, [, count]) => sum + Number(count), 0);
}
