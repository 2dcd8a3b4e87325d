import { lstatSync } from "node:fs";
import { createServer } from "node:net";
import type { Settings } from "../src/config/settings.ts";
import { KeylessError } from "../src/errors/errors.ts";
import { printable } from "../src/errors/printable.ts";
import { systemCode } from "../src/errors/system.ts";
import { listenError } from "../src/server/listen_error.ts";
import { checkSocketPath } from "../src/server/unix_socket.ts";
import { attempt } from "./failures.ts";
import { checkPidFile } from "./pid_file.ts";

/**
 * Checks what a server would make: its port, its UNIX socket, its pid file. The port is listened on
 * for a moment; nothing else is touched. What is in use is no failure: it may be by the server that
 * runs with this configuration.
 *
 * @param failures takes errors of the codes "LISTEN" and "PID_FILE"
 * @returns warnings, one printable line each
 */
export async function checkPlaces(
  settings: Settings,
  failures: KeylessError[],
): Promise<readonly string[]> {
  const { bind, port, unix_socket: path, pid_file: pidFile } = settings;
  const warnings: string[] = [];
  const warnOfUse = (error: KeylessError) => warnings.push(`${error.message} ${RUNNING}`);
  if (port !== "off") {
    await attempt(failures, () => checkPort(bind, port, warnOfUse));
  }
  if (path !== "") await attempt(failures, () => checkPath(path, warnOfUse));
  if (pidFile !== "") await attempt(failures, () => checkPidFile(pidFile));
  return warnings;
}

async function checkPort(
  host: string,
  port: number,
  warnOfUse: (error: KeylessError) => void,
): Promise<void> {
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(host === "" ? { port } : { port, host }, resolve);
    });
  } catch (cause) {
    const where = `${host === "" ? "" : `${printable(host)} `}port ${port}`;
    const error = listenError(where, "port", cause);
    if (systemCode(cause) !== "EADDRINUSE") throw error;
    return warnOfUse(error);
  }
  await new Promise((resolve) => server.close(resolve));
}

async function checkPath(path: string, warnOfUse: (error: KeylessError) => void): Promise<void> {
  try {
    await checkSocketPath(path);
  } catch (thrown) {
    // of sockets, only one in use is refused
    const isSocket = lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true;
    if (!isSocket || !(thrown instanceof KeylessError)) throw thrown;
    warnOfUse(thrown);
  }
}

const RUNNING = "(unless that is the server that runs with this configuration)";
