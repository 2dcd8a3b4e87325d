import { chmodSync, lstatSync, type Stats, unlinkSync } from "node:fs";
import { connect, type Server } from "node:net";
import process from "node:process";
import { KeylessError, messageOf } from "../errors/errors.ts";

/**
 * Makes a path ready to be listened on: nothing there is fine, a socket that nobody listens on any
 * more is removed, and everything else is left alone.
 *
 * @throws KeylessError "LISTEN" for a symbolic link, another kind of file, a socket in use
 */
export async function clearSocketPath(path: string): Promise<void> {
  const stats = lstat(path);
  if (stats === undefined) return;
  const refuse = (why: string) => new KeylessError("LISTEN", `cannot listen on ${path}: ${why}`);
  if (stats.isSymbolicLink()) {
    throw refuse("it is a symbolic link; name the path that it leads to");
  }
  if (!stats.isSocket()) throw refuse("a file that is no socket stands there; move it away");
  if (await isListenedOn(path)) {
    throw refuse("another process listens on it; stop that one, or name another path");
  }
  unlinkSync(path);
}

/** Starts listening on a path with mode 0600 from the first moment on. */
export async function listenOnPath(server: Server, path: string): Promise<void> {
  await clearSocketPath(path);
  const before = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(path, () => {
        server.off("error", reject);
        resolve();
      });
    });
    chmodSync(path, 0o600);
  } catch (error) {
    throw new KeylessError("LISTEN", `cannot listen on ${path}: ${messageOf(error)}`);
  } finally {
    process.umask(before);
  }
}

/** Removes the socket's file, if the runtime has not done so when its server was closed. */
export function removeSocketFile(path: string): void {
  if (lstat(path)?.isSocket()) unlinkSync(path);
}

function lstat(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
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
