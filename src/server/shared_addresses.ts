import { claimPort } from "./listen_port.ts";
import type { ListenAddress } from "./listener.ts";
import { openUnixListener, type UnixListener } from "./unix_listener.ts";

/** Addresses on which several workers listen. */
export interface SharedAddresses {
  /** Of the first TCP address. */
  readonly port: number | undefined;
  /** For one more worker. */
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
): Promise<SharedAddresses> {
  const ports: ListenAddress[] = [];
  const sockets: UnixListener[] = [];
  let port: number | undefined;
  const close = () => {
    for (const socket of sockets) socket.close();
  };
  try {
    for (const address of addresses) {
      if ("path" in address) {
        sockets.push(await openUnixListener(address.path));
        continue;
      }
      const claimed = await claimPort(address);
      ports.push({ ...claimed, reusePort: true });
      port ??= claimed.port;
    }
  } catch (error) {
    close();
    throw error;
  }
  return {
    port,
    share: () => [...ports, ...sockets.map((socket) => socket.share())],
    close,
  };
}
