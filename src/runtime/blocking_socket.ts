import type { SymbolTable } from "./ffi.ts";
import { LIBC_PATHS } from "./process.ts";
import { findLibrary } from "./system_library.ts";

/**
 * A stream by its file descriptor, for a thread that has nothing else to do: reading waits. It need
 * not have been opened by this thread, which `node:fs` on Deno asks for.
 */
export class BlockingSocket {
  readonly #fd: number;
  readonly #libc: { read: Transfer; write: Transfer };

  /** @throws Error where the C library cannot be loaded */
  constructor(fd: number) {
    const libc = findLibrary(LIBC_PATHS, LIBC);
    if (libc.path === undefined) throw new Error(`no C library: tried ${libc.tried.join(", ")}`);
    this.#fd = fd;
    this.#libc = libc.functions;
  }

  /**
   * Waits for bytes.
   *
   * @returns how many there are now at the buffer's beginning; 0 when the other side has ended
   */
  read(buffer: Uint8Array): number {
    return this.#transfer("read", buffer);
  }

  /** Writes all, and waits where the other side does not read. */
  write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) at += this.#transfer("write", bytes.subarray(at));
  }

  /** An interrupted call is made again: signals are seldom, so an error is what goes on. */
  #transfer(call: "read" | "write", bytes: Uint8Array): number {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const count = this.#libc[call](this.#fd, bytes, bytes.length);
      if (count <= bytes.length) return count; // -1 comes as the highest number
    }
    throw new Error(`${call} failed on file descriptor ${this.#fd}`);
  }
}

type Transfer = (fd: number, bytes: Uint8Array, length: number) => number;

const LIBC = {
  read: ["size", "int", "buffer", "size"],
  write: ["size", "int", "buffer", "size"],
} as const satisfies SymbolTable;

const MAX_ATTEMPTS = 100;
