import { accessSync, constants, realpathSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { csvOf } from "../../src/bench/csv.ts";
import { type NamedText, percentileDistributions } from "../../src/bench/hgrm.ts";
import type { MeasuredRun } from "../../src/bench/measured_run.ts";
import {
  checkOperation,
  parseThreshold,
  type Threshold,
  type Verdict,
} from "../../src/bench/threshold.ts";
import { KeylessError } from "../../src/errors/errors.ts";
import { pathReason } from "../../src/errors/system.ts";
import { namePath } from "../../src/keystore/key_failures.ts";
import { documentText, type JsonProblem } from "../output.ts";
import { replaceFile } from "../replace_file.ts";
import type { ReportFlags } from "./report_flags.ts";

/** What is made of a run besides its summary. */
export interface ReportPlan {
  readonly thresholds: readonly Threshold[];
  readonly files: readonly PlannedFile[];
}

interface PlannedFile {
  readonly flag: FileFlag;
  readonly path: string;
}

type FileFlag = keyof typeof WRITERS;

/**
 * Reads the flags before a run, and looks whether the files can be written after it.
 *
 * @param operations the names of those that the run will have
 * @throws KeylessError "USAGE", "FILE_WRITE"
 */
export function planReports(flags: ReportFlags, operations: readonly string[]): ReportPlan {
  const thresholds = (flags.threshold ?? []).map(parseThreshold);
  for (const threshold of thresholds) checkOperation(threshold, operations);
  const files = FILE_FLAGS.flatMap((flag) => {
    const path = flags[flag];
    return path === undefined ? [] : [{ flag, path }];
  });
  for (const [at, file] of files.entries()) {
    const twin = files.slice(0, at).find(({ path }) => path === file.path);
    if (twin !== undefined) {
      const message = `--${twin.flag} and --${file.flag} name the same file; give each its own`;
      throw new KeylessError("USAGE", message);
    }
    checkWritable(file);
  }
  return { thresholds, files };
}

/**
 * Writes the files of a run.
 *
 * @param verdicts on the thresholds, as `judge` tells them
 * @param problems what failed, for programs
 * @returns an error "FILE_WRITE" for each that could not be written; the others are
 */
export async function writeReports(
  { files }: ReportPlan,
  run: MeasuredRun,
  verdicts: readonly Verdict[],
  problems: readonly JsonProblem[] = [],
): Promise<readonly KeylessError[]> {
  const failures: KeylessError[] = [];
  for (const { flag, path } of files) {
    for (const made of await WRITERS[flag](run, path, verdicts, problems)) {
      try {
        writeReport(made);
      } catch (cause) {
        failures.push(notWritable({ flag, path: made.path }, cause));
      }
    }
  }
  return failures;
}

type Writer = (
  run: MeasuredRun,
  path: string,
  verdicts: readonly Verdict[],
  problems: readonly JsonProblem[],
) => readonly NamedText[] | Promise<readonly NamedText[]>;

const WRITERS = {
  save: (run, path, _verdicts, problems) => [
    { path, text: documentText(run.result, [], problems) },
  ],
  csv: (run, path) => [{ path, text: csvOf(run) }],
  hgrm: percentileDistributions,
  html: async (run, path, verdicts) => {
    const { htmlReport } = await import("./html_report.ts");
    return [{ path, text: htmlReport(run, verdicts) }];
  },
} as const satisfies Record<string, Writer>;

const FILE_FLAGS = Object.keys(WRITERS) as readonly FileFlag[];

/** Whole or not at all, but for what is no file: /dev/stdout, a pipe. */
function writeReport({ path, text }: NamedText): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) replaceFile(path, text, undefined);
  else if (found.isFile()) replaceFile(realpathSync(path), text, found.mode & 0o777);
  else writeFileSync(path, text);
}

/** A run may take long: what stands in the way of its files is told before. */
function checkWritable(file: PlannedFile): void {
  try {
    const { path } = file;
    const found = statSync(path, { throwIfNoEntry: false });
    if (found?.isDirectory()) throw new Error("it is a directory, not a file");
    if (found !== undefined || path === "") accessSync(path, constants.W_OK);
    if (found === undefined) accessSync(dirname(path), constants.W_OK);
    else if (found.isFile()) accessSync(dirname(realpathSync(path)), constants.W_OK);
  } catch (cause) {
    throw notWritable(file, cause);
  }
}

function notWritable({ flag, path }: PlannedFile, cause: unknown): KeylessError {
  const message = `--${flag} ${namePath(path)} cannot be written: ${pathReason(path, cause)}`;
  return new KeylessError("FILE_WRITE", message, { cause });
}
