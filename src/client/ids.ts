/**
 * The first packet id from `start` on that is not taken: 32 bits, wrapping around. There is always
 * one, because far fewer requests than that may be under way.
 */
export function freeId(start: number, ...taken: readonly { has(id: number): boolean }[]): number {
  let id = start >>> 0;
  while (taken.some((ids) => ids.has(id))) id = (id + 1) >>> 0;
  return id;
}
