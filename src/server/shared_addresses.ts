import { KeylessError } from "../errors/errors.ts";
import { printable } from "../errors/printable.ts";
import { claimPort } from "./listen_port.ts";
import type { ListenAddress } from "./listener.ts";
import { openUnixListener, type UnixListener } from "./unix_listener.ts";

/** Addresses on which several workers listen. */
export interface SharedAddresses {
  /** Of the first TCP address. */
  readonly port: number | undefined;
  /** For one more worker, which owns the descriptors in it. */
  share(): readonly ListenAddress[];
  /** Sockets' files are removed; what listens already goes on. */
  close(): void;
}

/**
 * Prepares addresses to be listened on by several workers. The system spreads the connections of a
 * port over all sockets that listen on it (SO_REUSEPORT); it cannot do that for the path of a UNIX
 * socket, so there workers accept from one socket.
 *
 * @throws KeylessError "LISTEN"
 */
export async function shareAddresses(
  addresses: readonly ListenAddress[],
  workers: number,
): Promise<SharedAddresses> {
  const ports: ListenAddress[] = [];
  const sockets: UnixListener[] = [];
  const paths: ListenAddress[] = [];
  let port: number | undefined;
  const close = () => {
    for (const socket of sockets) socket.close();
  };
  try {
    for (const address of addresses) {
      if ("host" in address) {
        const claimed = await claimPort(address);
        ports.push({ ...claimed, reusePort: true });
        port ??= claimed.port;
        continue;
      }
      const socket = await openUnixListener(address.path);
      if (socket !== undefined) sockets.push(socket);
      else if (workers === 1) paths.push(address);
      else throw unshared(address.path);
    }
  } catch (error) {
    close();
    throw error;
  }
  return {
    port,
    share: () => [...ports, ...paths, ...sockets.map((socket) => socket.share())],
    close,
  };
}

function unshared(path: string): KeylessError {
  return new KeylessError(
    "LISTEN",
    `cannot listen on ${
      printable(path)
    } with several workers: the C library, whose calls are needed ` +
      "for it, is not to be had here; choose --workers 1",
  );
}
