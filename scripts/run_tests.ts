/** Runs the tests on Bun and on Deno, and counts those that really ran. See HELP. */
import { availableParallelism } from "node:os";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type FileRun, runFile } from "./testing/run_file.ts";
import { countRuns, fileLines, summaryLines, unevenTests } from "./testing/summary.ts";
import { findTestFiles, type Runtime, RUNTIMES, type TestFile } from "./testing/test_files.ts";

const HELP =
  `usage: bun scripts/run_tests.ts [--runtime bun|deno] [--allow-skips] [--jobs N] [PATH…]

Runs every test file in a process of its own: test/scenario and test/scripts on Bun,
one after the other; all others on Bun and on Deno, as many at once as there are cores.

  PATH            a test file, or a folder of them (default: test)
  --runtime NAME  run on this runtime alone
  --allow-skips   a skipped test does not fail a run in CI (the variable CI is set)
  --jobs N        test files that run at once (default: the number of cores)

A run fails (exit code 1) where a test fails, where a file ends before all its tests did or has none, and
where a file has other tests on Bun than on Deno; in CI also where a test is skipped. Skipped tests are
always counted and named. The last line is the count: "N passed, N failed", and ", N skipped" where some
were.`;

interface Options {
  readonly paths: readonly string[];
  readonly runtimes: readonly Runtime[];
  readonly allowSkips: boolean;
  readonly jobs: number;
}

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const root = fileURLToPath(new URL("..", import.meta.url));
  let options: Options | undefined;
  let files: readonly TestFile[];
  try {
    options = parseOptions(args);
    files = findTestFiles(root, options?.paths ?? []);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${HELP}`);
    return 2;
  }
  if (options === undefined) {
    console.log(HELP);
    return 0;
  }
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => process.exit(1)); // which ends the files that are running
  }
  const runs = await runAll(root, files, options);
  const uneven = unevenTests(runs);
  const { passed, failed, skipped } = countRuns(runs);
  const skipsFail = process.env["CI"] !== undefined && !options.allowSkips;
  console.log(summaryLines(runs, uneven, skipsFail));
  const good = passed > 0 && failed === 0 && uneven.length === 0 && !(skipsFail && skipped > 0);
  return good ? 0 : 1;
}

/** Undefined where help is asked for. */
function parseOptions(args: readonly string[]): Options | undefined {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      runtime: { type: "string" },
      "allow-skips": { type: "boolean", default: false },
      jobs: { type: "string", default: String(availableParallelism()) },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return undefined;
  const runtimes = RUNTIMES.filter((name) => name === (values.runtime ?? name));
  if (runtimes.length === 0) throw new Error(`--runtime: ${RUNTIMES.join(" or ")}`);
  const jobs = Number(values.jobs);
  if (!Number.isInteger(jobs) || jobs < 1) throw new Error("--jobs: a whole number from 1");
  const paths = positionals.length > 0 ? positionals : ["test"];
  return { paths, runtimes, allowSkips: values["allow-skips"], jobs };
}

async function runAll(
  root: string,
  files: readonly TestFile[],
  options: Options,
): Promise<readonly FileRun[]> {
  const runs: FileRun[] = [];
  const runQueue = async (queue: (readonly [TestFile, Runtime])[]) => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const run = await runFile(root, next[0].path, next[1]);
      console.log(fileLines(run));
      runs.push(run);
    }
  };
  const queueOf = (alone: boolean) =>
    files.filter((file) => file.alone === alone).flatMap((file) =>
      options.runtimes.filter((runtime) => file.runtimes.includes(runtime))
        .map((runtime) => [file, runtime] as const)
    );
  const together = queueOf(false);
  await Promise.all(Array.from({ length: options.jobs }, () => runQueue(together)));
  await runQueue(queueOf(true));
  return runs;
}
