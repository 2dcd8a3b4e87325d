import { chmodSync, lstatSync, readFileSync, type Stats, unlinkSync } from "node:fs";
import { connect, type Server } from "node:net";
import { dirname, isAbsolute } from "node:path";
import process from "node:process";
import { MAX_SOCKET_PATH_BYTES, socketPathBytes } from "../bytes/socket_path.ts";
import { printable } from "../errors/printable.ts";
import { listenError, type ListenFlags } from "./listen_error.ts";
import { listening } from "./listen_port.ts";

/**
 * Looks at a path that is to be listened on, and changes nothing.
 *
 * @returns "stale" for a socket that nobody listens on any more
 * @throws KeylessError "LISTEN" for a name that is too long, a symbolic link, another kind of file, a
 *   socket in use, a directory that is not there
 */
export async function checkSocketPath(
  path: string,
  flags?: ListenFlags,
): Promise<"free" | "stale"> {
  const refuse = (why: string) => listenError(printable(path), "path", new Error(why));
  const lengthBytes = socketPathBytes(path);
  if (lengthBytes > MAX_SOCKET_PATH_BYTES) {
    throw refuse(
      `the name of a socket has at most ${MAX_SOCKET_PATH_BYTES} bytes, and this one ` +
        `${lengthBytes}; choose a shorter one`,
    );
  }
  let stats: Stats | undefined;
  try {
    lstatSync(dirname(path));
    stats = lstat(path);
  } catch (error) {
    throw listenError(printable(path), "path", error, flags);
  }
  if (stats === undefined) return "free";
  if (stats.isSymbolicLink()) {
    throw refuse("it is a symbolic link; name the path that it leads to");
  }
  if (!stats.isSocket()) throw refuse("a file that is no socket stands there; move it away");
  // of a relative path the list does not say which directory it starts from
  if ((isAbsolute(path) && isBound(path)) || await isListenedOn(path)) {
    throw refuse("another process has it open; stop that one, or name another path");
  }
  return "stale";
}

/** A socket's file as it was made; another in its place is another server's. */
export interface SocketFile {
  readonly path: string;
  readonly inode: number;
}

/**
 * Starts listening on a path, with mode 0600 from the first moment on; a stale socket is replaced.
 *
 * @throws KeylessError "LISTEN"
 */
export function listenOnPath(
  server: Server,
  path: string,
  flags?: ListenFlags,
): Promise<SocketFile> {
  return makeSocketFile(path, () => listening(server, { path }), flags);
}

/**
 * Clears the path, has `listen` make a socket there with mode 0600 from the first moment on, and
 * tells which file that is.
 *
 * @throws KeylessError "LISTEN"
 */
export async function makeSocketFile(
  path: string,
  listen: () => void | Promise<void>,
  flags?: ListenFlags,
): Promise<SocketFile> {
  const isStale = await checkSocketPath(path, flags) === "stale";
  const before = process.umask(0o177);
  try {
    if (isStale) unlinkSync(path);
    await listen();
    chmodSync(path, 0o600);
    return { path, inode: lstatSync(path).ino };
  } catch (error) {
    throw listenError(printable(path), "path", error, flags);
  } finally {
    process.umask(before);
  }
}

/** Removes the socket's file, if the runtime has not done so when its server was closed. */
export function removeSocketFile({ path, inode }: SocketFile): void {
  try {
    if (lstat(path)?.ino === inode) unlinkSync(path);
  } catch {
    // what stays is a stale socket: the next start replaces it
  }
}

function lstat(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

/**
 * Whether a living process has bound the path, by Linux's list. Connecting does not tell for certain:
 * to a socket of another type, or to one whose process is too busy to accept, it fails as well.
 */
function isBound(path: string): boolean {
  try {
    const lines = readFileSync("/proc/net/unix", "utf8").split("\n");
    return lines.some((line) => line.endsWith(` ${path}`));
  } catch {
    return false; // not Linux
  }
}

function isListenedOn(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", () => resolve(false));
  });
}
