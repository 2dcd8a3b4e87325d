import { extname } from "node:path";
import type { MeasuredRun } from "./measured_run.ts";

/** A file to write. */
export interface NamedText {
  readonly path: string;
  readonly text: string;
}

/**
 * The latency of a run as HdrHistogram's percentile distribution, in milliseconds, which its
 * plotter reads: http://hdrhistogram.github.io/HdrHistogram/plotFiles.html
 *
 * @param path for one operation; several get a file each, with the operation in its name:
 *   "run.ecdsa-sha256.hgrm"
 */
export function percentileDistributions(run: MeasuredRun, path: string): readonly NamedText[] {
  const { operations } = run.result;
  return operations.map((operation) => ({
    path: operations.length === 1 ? path : withOperation(path, operation.name),
    text: run.latency(operation).outputPercentileDistribution(TICKS_PER_HALF, NS_PER_MS),
  }));
}

const TICKS_PER_HALF = 5;
const NS_PER_MS = 1e6;

function withOperation(path: string, name: string): string {
  const extension = extname(path);
  return `${path.slice(0, path.length - extension.length)}.${name}${extension}`;
}
