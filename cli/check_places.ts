import { lstatSync } from "node:fs";
import { createServer } from "node:net";
import type { Settings } from "../src/config/settings.ts";
import { KeylessError } from "../src/errors/errors.ts";
import { systemCode } from "../src/errors/system.ts";
import type { ListenFlags } from "../src/server/listen_error.ts";
import { listenOnPort } from "../src/server/listen_port.ts";
import { checkSocketPath } from "../src/server/unix_socket.ts";
import { parseHttpAddress } from "../src/status/http_address.ts";
import { attempt } from "./failures.ts";
import { METRICS_FLAGS, STATUS_FLAGS } from "./http_flags.ts";
import { checkPidFile } from "./pid_file.ts";

/**
 * Checks what a server would make: its ports, its UNIX sockets, its pid file. Ports are listened on
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
  const { metrics_bind: metricsBind, metrics_port: metricsPort } = settings;
  const warnings: string[] = [];
  const check = (host: string, port: number, flags?: ListenFlags) =>
    attempt(failures, () => checkPort({ host, port }, flags, warnOfUse));
  const warnOfUse = (error: KeylessError) => warnings.push(`${error.message} ${RUNNING}`);
  if (port !== "off") await check(bind, port);
  if (path !== "") await attempt(failures, () => checkPath(path, warnOfUse));
  if (metricsPort !== "off") await check(metricsBind, metricsPort, METRICS_FLAGS);
  const status = parseHttpAddress(settings.status);
  if (status?.kind === "tcp") await check(status.host, status.port, STATUS_FLAGS);
  if (status?.kind === "unix") {
    await attempt(failures, () => checkPath(status.path, warnOfUse, STATUS_FLAGS));
  }
  if (pidFile !== "") await attempt(failures, () => checkPidFile(pidFile));
  return warnings;
}

async function checkPort(
  address: { readonly host: string; readonly port: number },
  flags: ListenFlags | undefined,
  warnOfUse: (error: KeylessError) => void,
): Promise<void> {
  const server = createServer();
  try {
    await listenOnPort(server, address, flags);
  } catch (thrown) {
    const isUsed = thrown instanceof KeylessError && systemCode(thrown.cause) === "EADDRINUSE";
    if (!isUsed) throw thrown;
    return warnOfUse(thrown);
  }
  await new Promise((resolve) => server.close(resolve));
}

async function checkPath(
  path: string,
  warnOfUse: (error: KeylessError) => void,
  flags?: ListenFlags,
): Promise<void> {
  try {
    await checkSocketPath(path, flags);
  } catch (thrown) {
    // of sockets, only one in use is refused
    const isSocket = lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true;
    if (!isSocket || !(thrown instanceof KeylessError)) throw thrown;
    warnOfUse(thrown);
  }
}

const RUNNING = "(unless that is the server that runs with this configuration)";
