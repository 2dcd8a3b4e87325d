import type { Socket } from "node:net";
import { Ring } from "../threads/ring.ts";
import type { Refusal } from "./refusal.ts";

/** A connection that has not proved yet who it is. */
export interface Newcomer {
  readonly socket: Socket;
  /** Where it comes from: an address without its port, or a UNIX socket. */
  readonly source: string;
  /** Begins its handshake. */
  begin(): void;
  /** Ends the connection; `why` is for the log, where it is said. */
  cut(why?: Refusal): void;
}

export interface Aged {
  readonly newcomer: Newcomer;
  /** On the clock of `performance.now()`. */
  readonly sinceMs: number;
}

/**
 * Newcomers by age and by source. However many there are, and from however many sources, each call
 * takes the same time.
 */
export class Newcomers {
  /** The oldest first. */
  readonly #all = new Ring<Newcomer, Aged>();
  /** In the order of their turns. */
  readonly #sources = new Ring<string, Source>();
  /** Sources that have one newcomer, those that have two, and so on; the last is never empty. */
  readonly #bySize: Ring<string, Source>[] = [];
  #isNewestNext = false;

  get size(): number {
    return this.#all.size;
  }

  get oldest(): Aged | undefined {
    return this.#all.first;
  }

  /** The oldest of the source that has most; of several such, of that which has had so many longest. */
  get oldestOfFullest(): Newcomer | undefined {
    return this.#bySize.at(-1)?.first?.newcomers.first;
  }

  add(newcomer: Newcomer, sinceMs: number): void {
    const name = newcomer.source;
    let source = this.#sources.get(name);
    if (source === undefined) {
      source = { name, newcomers: new Ring() };
      this.#sources.add(name, source);
    }
    this.#all.add(newcomer, { newcomer, sinceMs });
    source.newcomers.add(newcomer, newcomer);
    this.#resized(source, source.newcomers.size - 1);
  }

  /** @returns whether it was there */
  delete(newcomer: Newcomer): boolean {
    if (this.#all.get(newcomer) === undefined) return false;
    this.#all.delete(newcomer);
    const source = this.#sources.get(newcomer.source)!;
    source.newcomers.delete(newcomer);
    this.#resized(source, source.newcomers.size + 1);
    if (source.newcomers.size === 0) this.#sources.delete(source.name);
    return true;
  }

  /**
   * Takes the newest of the source whose turn it is and the newest of all, in alternation: no source
   * waits for what another sends, and where more sources come than can be served, those that have come
   * last do not wait for all that have given up.
   */
  takeNext(): Newcomer | undefined {
    const newest = this.#all.last?.newcomer;
    const next = this.#isNewestNext ? newest : this.#sources.first?.newcomers.last;
    if (next === undefined) return undefined;
    this.#isNewestNext = !this.#isNewestNext;
    this.#sources.moveLast(next.source);
    this.delete(next);
    return next;
  }

  /** A source has one more or one less than `before`. */
  #resized(source: Source, before: number): void {
    const { name, newcomers: { size } } = source;
    if (before > 0) this.#bySize[before - 1]!.delete(name);
    if (size > 0) (this.#bySize[size - 1] ??= new Ring()).add(name, source);
    while (this.#bySize.at(-1)?.size === 0) this.#bySize.pop();
  }
}

interface Source {
  readonly name: string;
  /** The oldest first. */
  readonly newcomers: Ring<Newcomer, Newcomer>;
}
