import process from "node:process";
import { createServer, type Server, type Socket } from "node:net";
import type { Server as TlsServer } from "node:tls";

/** How a TLS server's connections come, and their handshakes begin. */
export interface HeldHandshakes {
  /** What is to listen. */
  readonly server: Server;
  /** Begins the handshake of a connection that has come. */
  begin(socket: Socket): void;
}

/**
 * Holds every connection of a TLS server back until its handshake is told to begin: nothing is read
 * of it. `came` gets the socket that `rawSocketOf` gives later.
 *
 * On Bun the TLS server listens itself, for a socket that is handed to it costs a microsecond more
 * for each request; the system is asked not to tell what comes over the connection, by a handle that
 * is private. On Deno, where that does not help, a plain server hands sockets over.
 */
export function holdHandshakes(tls: TlsServer, came: (socket: Socket) => void): HeldHandshakes {
  if (process.versions.bun === undefined) {
    const server = createServer({ pauseOnConnect: true }, came);
    return { server, begin: (socket) => void tls.emit("connection", socket) };
  }
  tls.on("connection", (socket) => {
    handleOf(socket)?.pause();
    came(socket);
  });
  return { server: tls, begin: (socket) => handleOf(socket)?.resume() };
}

function handleOf(socket: Socket): BunHandle | null | undefined {
  return (socket as Socket & { readonly _handle?: BunHandle | null })._handle;
}

interface BunHandle {
  pause(): void;
  resume(): void;
}
