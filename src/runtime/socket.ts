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

/** The TCP or UNIX socket under a TLS socket where the runtime has one of its own, else itself. */
export function rawSocketOf(socket: TLSSocket): object {
  return (socket as WithParent)._parent ?? socket;
}

interface RawHandle {
  readStop?(): void;
  readStart?(): void;
}

type WithParent = TLSSocket & { readonly _parent?: { readonly _handle?: RawHandle | null } };

function rawHandle(socket: TLSSocket): RawHandle | undefined {
  if (!("Deno" in globalThis)) return undefined;
  return (socket as WithParent)._parent?._handle ?? undefined;
}
