import process from "node:process";
import type { SymbolTable } from "./ffi.ts";
import { findLibrary, systemLibraryPaths } from "./system_library.ts";

/** What the system let us do; false where it did not, or where it is not Linux. */
export interface CoreDumpGuard {
  /** No core is dumped whatever the limits say, and other processes of the user cannot attach. */
  readonly undumpable: boolean;
  /** The limit on core files is 0, soft and hard; child processes inherit it. */
  readonly noCoreFile: boolean;
}

/**
 * Keeps keys out of core dumps, for the life of the process: prctl(PR_SET_DUMPABLE, 0) and
 * setrlimit(RLIMIT_CORE, 0). Never throws; the caller tells the operator what failed.
 *
 * An undumpable process cannot be debugged or traced but by root.
 */
export function disableCoreDumps(): CoreDumpGuard {
  if (process.platform !== "linux") return { undumpable: false, noCoreFile: false };
  const libc = findLibrary(LIBC_PATHS, LIBC);
  if (libc.path === undefined) return { undumpable: false, noCoreFile: false };
  const { prctl, setrlimit } = libc.functions;
  return {
    undumpable: prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) === 0,
    noCoreFile: setrlimit(RLIMIT_CORE, new BigUint64Array(2)) === 0,
  };
}

/**
 * Raises the number of files and sockets that may be open at once as far as the system allows.
 *
 * @returns that number; undefined where it cannot be told
 */
export function raiseOpenFileLimit(): number | undefined {
  if (process.platform !== "linux") return undefined;
  const libc = findLibrary(LIBC_PATHS, LIBC);
  if (libc.path === undefined) return undefined;
  const { getrlimit, setrlimit } = libc.functions;
  const limit = new BigUint64Array(2);
  if (getrlimit(RLIMIT_NOFILE, limit) !== 0) return undefined;
  limit[0] = limit[1]!;
  setrlimit(RLIMIT_NOFILE, limit);
  return getrlimit(RLIMIT_NOFILE, limit) === 0 ? Number(limit[0]) : undefined;
}

/**
 * Lowers the scheduling priority of the thread that calls, and of no other: Linux takes 0 for the
 * calling thread, though POSIX says process. Never throws.
 *
 * @param niceness 1 to 19, the lowest priority
 * @returns false where it could not
 */
export function lowerThreadPriority(niceness: number): boolean {
  if (process.platform !== "linux") return false;
  const libc = findLibrary(LIBC_PATHS, LIBC);
  if (libc.path === undefined) return false;
  return libc.functions.setpriority(PRIO_PROCESS, 0, niceness) === 0;
}

/** Where the C library is looked for: glibc's by its name, musl's by the machine's. */
export const LIBC_PATHS: readonly string[] = [
  "libc.so.6",
  "libc.musl-x86_64.so.1",
  "libc.musl-aarch64.so.1",
].flatMap(systemLibraryPaths);

// struct rlimit: soft and hard, 64 bits each
const LIBC = {
  getrlimit: ["int", "int", "buffer"],
  prctl: ["int", "int", "size", "size", "size", "size"],
  setpriority: ["int", "int", "int", "int"],
  setrlimit: ["int", "int", "buffer"],
} as const satisfies SymbolTable;

// linux/prctl.h, linux/resource.h, asm-generic/resource.h
const PRIO_PROCESS = 0;
const PR_SET_DUMPABLE = 4;
const RLIMIT_CORE = 4;
const RLIMIT_NOFILE = 7;
