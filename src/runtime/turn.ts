/**
 * Calls back after the event loop has seen to its sockets. `setImmediate` is that on Bun; on Deno
 * callbacks that set the next one keep sockets waiting, and a timer does not.
 */
export const afterOthers: (callback: () => void) => void = "Deno" in globalThis
  ? (callback) => void setTimeout(callback, 0)
  : (callback) => void setImmediate(callback);
