import process from "node:process";
import type { SymbolTable } from "./ffi.ts";
import { LIBC_PATHS } from "./process.ts";
import { findLibrary } from "./system_library.ts";

/**
 * A clock of the CPU time that the calling thread has used, in milliseconds. What it waits, and what
 * others use of the core meanwhile, is not in it. To be read by the thread that asked for it.
 *
 * @returns undefined where there is none: not Linux, or Deno without `--allow-ffi`
 */
export function threadCpuClock(): (() => number) | undefined {
  const libc = process.platform === "linux" ? findLibrary(LIBC_PATHS, LIBC) : undefined;
  if (libc?.path === undefined) return undefined;
  const { clock_gettime } = libc.functions;
  const time = new BigUint64Array(2);
  const halves = new Uint32Array(time.buffer); // little-endian, and no BigInt made
  return () => {
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, time);
    return halves[0]! * 1_000 + halves[2]! / 1_000_000;
  };
}

// struct timespec: seconds and nanoseconds, 64 bits each
const LIBC = { clock_gettime: ["int", "int", "buffer"] } as const satisfies SymbolTable;

// linux/time.h
const CLOCK_THREAD_CPUTIME_ID = 3;
