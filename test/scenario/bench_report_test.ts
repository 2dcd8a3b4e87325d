/** What a benchmark leaves behind: its summary, its files, its page in a browser, its exit code. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { htmlReport } from "../../cli/bench/html_report.ts";
import { quoted } from "../../cli/invocation.ts";
import { judge, parseThreshold } from "../../src/bench/threshold.ts";
import { makeRun, microsecondsTo } from "../support/bench_result.ts";
import { Browser } from "../support/browser.ts";
import { type CliResult, resultOf, runExecutable } from "../support/cli.ts";
import { DevServer } from "../support/dev_server.ts";
import { PROGRAMS } from "../support/running_server.ts";

const SLOW = { timeout: 60_000 };

const dev = DevServer.forFile();

function bench(...args: string[]): Promise<CliResult> {
  const load = ["--dev", "--warmup", "0", "--connections", "2"];
  const target = `127.0.0.1:${dev.server.port}`;
  return runExecutable(["bench", target, ...load, ...args], { cwd: dev.directory.path });
}

const ERASE_TO_END = "\u001b[K";
const BRIEF = ["--requests", "500"];

describe("keyless bench", () => {
  test("writes its files, prints a summary, and names broken thresholds", SLOW, async () => {
    const { code, stdout, stderr } = await bench(
      ...["--op", "ping:9,ecdsa-sha256:1", "--duration", "1200ms"],
      ...["--csv", "run.csv", "--hgrm", "run.hgrm", "--html", "run.html"],
      ...["--threshold", "p50<1ns", "--threshold", "errors<0.1%", "--threshold", "ping.rate>1"],
    );
    assert.equal(code, 1, stderr);
    assert.match(stdout, /^127\.0\.0\.1:\d+: 2 connections × 4 in flight, 1 thread, closed loop/);
    assert.match(stdout, /\nlatency of ping, up to\n(?: +[\d.]+ [mµ]?s .*\n)+/);
    assert.match(
      stderr,
      /^keyless bench: 1 of 3 thresholds broken\n {2}p50<1ns: [\d.]+ [mµ]?s\n$/,
      "nothing else, and no live display in a pipe",
    );
    const made = readdirSync(dev.directory.path).filter((name) => name.startsWith("run.")).sort();
    assert.deepEqual(made, ["run.csv", "run.ecdsa-sha256.hgrm", "run.html", "run.ping.hgrm"]);
    const kinds = readFileSync(dev.directory.at("run.csv"), "utf8").trimEnd().split("\n")
      .map((line) => line.split(",")[0]);
    assert.deepEqual(kinds, ["kind", "second", "second", "operation", "operation", "total"]);
  });

  test("leaves a result as it was where there is no room for the new one", SLOW, async () => {
    dev.directory.write("kept.json", "the result of last week");
    const target = `127.0.0.1:${dev.server.port}`;
    const words = ["bench", target, "--dev", ...BRIEF, "--save", "kept.json"];
    // a file that grows beyond 1 KiB meets a limit, as it would a full disk
    const limits = 'trap \'\' XFSZ; ulimit -f 2; exec "$0" "$@"';
    const child = spawn("sh", ["-c", limits, ...PROGRAMS.executable, ...words], {
      cwd: dev.directory.path,
      stdio: "pipe",
    });
    const { code, stdout, stderr } = await resultOf(child);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /^keyless bench: --save kept\.json cannot be written: file too large\n$/);
    assert.match(stdout, /500 answered/, "the run is not lost for it");
    assert.equal(readFileSync(dev.directory.at("kept.json"), "utf8"), "the result of last week");
    assert.deepEqual(readdirSync(dev.directory.path).filter((name) => name.endsWith(".tmp")), []);
  });

  test("refuses a file or a threshold that cannot be, before it loads anything", SLOW, async () => {
    const refused: readonly [args: readonly string[], message: RegExp][] = [
      [["--html", "none/run.html"], /--html none\/run\.html cannot be written: no such file/],
      [["--threshold", "p99<5%"], /threshold "p99<5%": duration "5%" is none/],
      [["--threshold", "rsa-sha256.p99<5ms"], /which this run does not do; it does ping/],
    ];
    for (const [args, message] of refused) {
      const { code, stdout, stderr } = await bench(...BRIEF, ...args);
      assert.match(stderr, message);
      assert.deepEqual([code, stdout], [2, ""]);
    }
  });

  test("shows each second on a terminal in one line, and takes it away", SLOW, async () => {
    // `script` is a terminal to the program; the summary goes to a pipe
    const target = `127.0.0.1:${dev.server.port}`;
    const words = [...PROGRAMS.executable, "bench", target, "--dev", "--duration", "2100ms"];
    const command = `${words.map(quoted).join(" ")} | cat`;
    const child = spawn("script", ["-qec", command, "/dev/null"], {
      cwd: dev.directory.path,
      env: { ...process.env, SHELL: "/bin/sh", TERM: "xterm" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    child.stdout.on("data", (chunk: Uint8Array) => output += new TextDecoder().decode(chunk));
    await new Promise((resolve) => child.once("close", resolve));
    const [shown = "", summary = ""] = output.split(`\r${ERASE_TO_END}127.0.0.1:`);
    const lines = shown.split("\r").slice(1);
    assert.match(lines[0] ?? "", /^warm-up {2}[\d,.]+\/s {2}0 errors {2}[▁-█]/);
    assert.match(lines[1] ?? "", /^1 s of 2 s {2}.* {2}p50 .* {2}p99 .* {2}0 errors {2}[▁-█]{2}/);
    for (const line of lines) assert.ok(line.endsWith(ERASE_TO_END) && !line.includes("\n"), line);
    assert.match(summary, /right answers, [\d,]+ sent/);
  });

  test("writes results that its own compare reads", SLOW, async () => {
    for (const name of ["a.json", "b.json"]) {
      const { code, stdout } = await bench(...BRIEF, "--json");
      assert.equal(code, 0);
      dev.directory.write(name, stdout);
    }
    const { code, stdout, stderr } = await runExecutable(
      ["bench", "compare", "a.json", "b.json", "--fail-on", "rate<-99.9%"],
      { cwd: dev.directory.path },
    );
    assert.deepEqual([code, stderr], [0, ""]);
    assert.match(stdout, /^ +A +B +CHANGE\nrate +[\d,]+\/s +[\d,]+\/s +[+-]?[\d.]+ %\n/);
  });
});

describe("the page of a run in a browser", () => {
  const name = `<img src=x onerror="document.title='owned'">\u202e`;
  let browser: Browser;
  before(async () => {
    const run = makeRun([
      { latencies: microsecondsTo(5_000), serviceTimes: microsecondsTo(3_000) },
      { name: "ping", latencies: microsecondsTo(100), serviceTimes: microsecondsTo(50), lost: 2 },
    ], { targets: [name] });
    const verdicts = judge(["p99<1ms", "rate>1"].map(parseThreshold), run);
    const path = dev.directory.write("made.html", htmlReport(run, verdicts));
    browser = Browser.start();
    await browser.open(pathToFileURL(path).href);
  }, SLOW);
  after(() => browser?.close());

  test("shows the figures, the thresholds, and the table of latencies", SLOW, async () => {
    const text = await browser.evaluate<string>("document.body.innerText");
    assert.match(text, /\nRight answers\s+510\/s\s+5,100\n/);
    assert.match(text, /\nbroken\tp99<1ms: 4\.\d+ ms\nholds\trate>1: 510\/s\n/);
    assert.match(
      text,
      /\nservice time\t\t3,000\t1\.5 ms\t1\.5 ms\t2\.7 ms\t2\.97 ms\t/,
    );
    assert.match(text, /How the latency of ping is spread[^]*\n1 µs\s+1\s+1 %\n/);
  });

  test("draws each plot with its lines, light and dark", SLOW, async () => {
    const legends = await browser.evaluate<string[][]>(
      "[...document.querySelectorAll('.plot')].map((plot) =>" +
        " [...plot.querySelectorAll('.u-legend th')].map((cell) => cell.innerText))",
    );
    assert.deepEqual(legends, [
      ["seconds", "right answers/s", "errors/s"],
      ["seconds", "p50", "p99"],
      ["percentile", "ecdsa-sha256", "ecdsa-sha256 service time", "ping", "ping service time"],
    ]);
    for (const value of ["light", "dark"]) {
      const features = [{ name: "prefers-color-scheme", value }];
      await browser.call("Emulation.setEmulatedMedia", { features });
      const colours = await browser.evaluate<number[]>(COLOURS_OF_PLOTS);
      assert.equal(colours.length, 3);
      for (const count of colours) assert.ok(count > 20, `${value}: ${colours}`);
    }
  });

  test("runs nothing that a name brings, and asks for nothing", SLOW, async () => {
    const found = await browser.evaluate<object>(
      "({ images: document.images.length, scripts: document.scripts.length })",
    );
    assert.deepEqual(found, { images: 0, scripts: 3 });
    const title = await browser.evaluate<string>("document.title");
    assert.equal(title, `keyless bench ${name.replace("\u202e", "\\u{202e}")}`);
    const requests = browser.events("Network.requestWillBeSent")
      .map(({ request }) => (request as { readonly url: string }).url);
    assert.deepEqual(requests.filter((url) => !url.endsWith("/made.html")), []);
    const logged = browser.events("Log.entryAdded")
      .map(({ entry }) => entry as { readonly source: string; readonly text: string })
      .filter(({ source }) => source !== "rendering"); // that the test above has read pixels
    assert.deepEqual(logged, []);
    assert.deepEqual(browser.events("Runtime.exceptionThrown"), []);
  });

  test("fits a phone", SLOW, async () => {
    const phone = { width: 375, height: 700, deviceScaleFactor: 2, mobile: true };
    await browser.call("Emulation.setDeviceMetricsOverride", phone);
    const width = await browser.evaluate<number>("document.documentElement.scrollWidth");
    assert.ok(width <= 375, `${width} pixels`);
  });
});

/** Of each canvas, how many colours its pixels have: lines, smoothed, have many. */
const COLOURS_OF_PLOTS = `[...document.querySelectorAll("canvas")].map((canvas) => {
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  return new Set(new Uint32Array(data.buffer)).size;
})`;
