/** Bytes of the longest path of a UNIX socket: Linux's `sun_path`, less the terminating zero. */
export const MAX_SOCKET_PATH_BYTES = 107;

/** How many bytes a path takes in the address of a UNIX socket. */
export function socketPathBytes(path: string): number {
  return new TextEncoder().encode(path).length;
}
