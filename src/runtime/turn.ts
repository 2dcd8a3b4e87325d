/**
 * Calls back after the event loop has seen to its sockets. `setImmediate` is that on Bun; on Deno
 * callbacks that set the next one keep sockets waiting, and a timer does not.
 */
export const afterOthers: (callback: () => void) => void = "Deno" in globalThis
  ? (callback) => void setTimeout(callback, 0)
  : (callback) => void setImmediate(callback);

/**
 * Has `run` called at the end of this turn, however often that is asked for in it: what becomes ready
 * together goes on together.
 *
 * @returns what asks for it
 */
export function onceATurn(run: () => void): () => void {
  let isAsked = false;
  return () => {
    if (isAsked) return;
    isAsked = true;
    queueMicrotask(() => {
      isAsked = false;
      run();
    });
  };
}
