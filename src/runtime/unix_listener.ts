import { constants } from "node:os";
import process from "node:process";
import { type Functions, readCString, readMemory, type SymbolTable } from "./ffi.ts";
import { LIBC_PATHS } from "./process.ts";
import { findLibrary } from "./system_library.ts";

/**
 * The calls that a listening UNIX socket is made with. The runtimes can make one, but not lend it to
 * other threads; what is made here they can listen on by its descriptor. All descriptors are closed
 * in child processes, and do not block.
 *
 * Every call throws an Error with the system's `code` ("EACCES") where it fails.
 */
export interface UnixSocketCalls {
  /** Binds the path, which gets its mode from the umask, and listens; gives the descriptor. */
  listen(path: string): number;
  /** One more descriptor of the same socket. */
  duplicate(descriptor: number): number;
  close(descriptor: number): void;
}

/** @returns undefined where libc is not to be had: not Linux, or Deno without `--allow-ffi` */
export function openUnixSocketCalls(): UnixSocketCalls | undefined {
  const found = process.platform === "linux" ? findLibrary(LIBC_PATHS, LIBC) : undefined;
  if (found?.path === undefined) return undefined;
  const libc = found.functions;
  const close = (descriptor: number) => void libc.close(descriptor);
  return {
    close,
    duplicate: (descriptor) => checked(libc, "dup", libc.fcntl(descriptor, F_DUPFD_CLOEXEC, 0)),
    listen(path) {
      const type = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
      const descriptor = checked(libc, "socket", libc.socket(AF_UNIX, type, 0));
      try {
        const address = sockaddrUn(path);
        checked(libc, "bind", libc.bind(descriptor, address, address.length));
        checked(libc, "listen", libc.listen(descriptor, BACKLOG));
        return descriptor;
      } catch (error) {
        close(descriptor);
        throw error;
      }
    },
  };
}

/** The result of a call, or the error that it left in `errno`. */
function checked(libc: Functions<typeof LIBC>, call: string, result: number): number {
  if (result >= 0) return result;
  const errno = new Int32Array(readMemory(libc.__errno_location(), 4).buffer)[0]!;
  const name = Object.entries(constants.errno).find(([, number]) => number === errno)?.[0];
  const code = name ?? `E${errno}`;
  const text = readCString(libc.strerror(errno)).toLowerCase();
  throw Object.assign(new Error(`${code}: ${text}, ${call}`), { code });
}

/** struct sockaddr_un: the family in 16 bits, the path and a zero. */
function sockaddrUn(path: string): Uint8Array {
  const bytes = new TextEncoder().encode(path);
  const address = new Uint8Array(2 + bytes.length + 1);
  new Uint16Array(address.buffer, 0, 1)[0] = AF_UNIX;
  address.set(bytes, 2);
  return address;
}

const LIBC = {
  __errno_location: ["pointer"],
  bind: ["int", "int", "buffer", "int"],
  close: ["int", "int"],
  fcntl: ["int", "int", "int", "int"],
  listen: ["int", "int", "int"],
  socket: ["int", "int", "int", "int"],
  strerror: ["pointer", "int"],
} as const satisfies SymbolTable;

// bits/socket.h, bits/fcntl-linux.h
const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0x8_0000;
const SOCK_NONBLOCK = 0x800;
const F_DUPFD_CLOEXEC = 1030;

/** Connections that the system has made and nobody has accepted yet, as the runtimes have it. */
const BACKLOG = 511;
