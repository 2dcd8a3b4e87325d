import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";

/**
 * Holding a flooding peer back. `pause()` is enough on Bun; on Deno a TLS socket goes on reading
 * into memory, and only the raw socket beneath it can be stopped, by a handle that is private there.
 */
export function pauseReading(socket: TLSSocket): void {
  socket.pause();
  rawHandle(socket)?.readStop?.();
}

/** Undoes `pauseReading`. */
export function resumeReading(socket: TLSSocket): void {
  rawHandle(socket)?.readStart?.();
  socket.resume();
}

/**
 * Ends a connection without waiting for anything, replies that the peer does not take included: a
 * mere `destroy` of such a socket leaves it open for seconds on Bun.
 */
export function cutConnection(socket: TLSSocket): void {
  (rawSocketOf(socket) as Socket).resetAndDestroy();
  socket.destroy();
}

/** The same for a socket that may be plain, or a UNIX socket, which cannot be reset. */
export function cutSocket(socket: Socket): void {
  try {
    socket.resetAndDestroy();
  } catch {
    // a UNIX socket, or one that is closed
  }
  socket.destroy();
}

/** The TCP or UNIX socket under a TLS socket where the runtime has one of its own, else itself. */
export function rawSocketOf(socket: TLSSocket): object {
  return (socket as WithParent)._parent ?? socket;
}

/** What may be behind a handshake that a client ends without a word. */
export const UNEXPLAINED_END = isDeno()
  ? "its certificate was not accepted, or it did not accept this server's (Deno does not tell which)"
  : "it did not accept this server's certificate, or gave up";

interface RawHandle {
  readStop?(): void;
  readStart?(): void;
}

type WithParent = TLSSocket & { readonly _parent?: { readonly _handle?: RawHandle | null } };

function rawHandle(socket: TLSSocket): RawHandle | undefined {
  if (!isDeno()) return undefined;
  return (socket as WithParent)._parent?._handle ?? undefined;
}

function isDeno(): boolean {
  return "Deno" in globalThis;
}
