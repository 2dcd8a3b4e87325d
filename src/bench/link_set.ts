import { setTimeout as sleep } from "node:timers/promises";
import { readCredentials } from "../client/credentials.ts";
import { dial, type DialOptions } from "../client/dial.ts";
import { endpointText } from "../client/endpoint.ts";
import { KeylessError } from "../errors/errors.ts";
import { clampNs } from "./histogram.ts";
import { Link, type LinkObserver, type Slot } from "./link.ts";
import type { ThreadPlan } from "./messages.ts";
import { NS_A_MS, type Tally } from "./tally.ts";

/** The connections of one thread: made, shared out, and made again after a loss. */
export class LinkSet {
  readonly #plan: ThreadPlan;
  readonly #observer: LinkObserver;
  readonly #tally: Tally;
  readonly #onGone: (error: KeylessError) => void;
  readonly #dialOptions: DialOptions;
  readonly #links: Link[] = [];
  /** In an open loop, whose requests take turns on them. */
  readonly #withRoom: Link[] = [];
  readonly #unflushed: Link[] = [];
  readonly #abort = new AbortController();
  #cursor = 0;
  #goneSinceMs = Infinity;

  /** @param onGone called once no connection is left, and none could be made for a while */
  constructor(
    plan: ThreadPlan,
    observer: LinkObserver,
    tally: Tally,
    onGone: (error: KeylessError) => void,
  ) {
    this.#plan = plan;
    this.#observer = observer;
    this.#tally = tally;
    this.#onGone = onGone;
    const { endpoint, serverName, timeoutMs, pems } = plan;
    const credentials = readCredentials(pems);
    if (typeof pems.key !== "string") pems.key.fill(0);
    const { signal } = this.#abort;
    this.#dialOptions = { endpoint, serverName, timeoutMs, credentials, signal };
  }

  /** Since when there has been no connection; Infinity while there are some. */
  get goneSinceMs(): number {
    return this.#goneSinceMs;
  }

  /**
   * Makes them all, some at a time.
   *
   * @throws KeylessError as `dial`, where one cannot be made
   */
  async open(): Promise<void> {
    let left = this.#plan.connections;
    const openSome = async () => {
      while (left-- > 0) await this.#connect();
    };
    await Promise.all(Array.from({ length: HANDSHAKES_AT_ONCE }, openSome));
  }

  forEach(use: (link: Link) => void): void {
    this.#links.forEach(use);
  }

  /**
   * Open loop: puts a request into the next write of the connection whose turn it is.
   *
   * @returns false where none has room
   */
  put(operation: number, key: number, dueMs: number, nowMs: number): boolean {
    if (this.#withRoom.length === 0) return false;
    this.#cursor = (this.#cursor + 1) % this.#withRoom.length;
    const link = this.#withRoom[this.#cursor]!;
    if (link.isFlushed) this.#unflushed.push(link);
    link.put(operation, key, dueMs, nowMs);
    if (link.room === 0) remove(this.#withRoom, this.#cursor);
    return true;
  }

  /** Open loop: a connection that was full takes turns again. */
  hasRoom(link: Link): void {
    this.#withRoom.push(link);
  }

  /** Open loop: sends what was put. */
  flush(): void {
    for (const link of this.#unflushed) link.flush();
    this.#unflushed.length = 0;
  }

  takenSlots(): Slot[] {
    return this.#links.flatMap((link) => link.takenSlots());
  }

  /** Forgets a connection that was lost. */
  drop(link: Link): void {
    remove(this.#links, this.#links.indexOf(link));
    const turn = this.#withRoom.indexOf(link);
    if (turn >= 0) remove(this.#withRoom, turn);
    if (this.#links.length === 0) this.#goneSinceMs = performance.now();
  }

  /** Makes another in the place of one that was lost; tries until the run ends. */
  async replace(link: Link, error: KeylessError, onMade: (link: Link) => void): Promise<void> {
    this.drop(link);
    let last = error;
    const { signal } = this.#abort;
    while (!signal.aborted) {
      await sleep(RETRY_MS, undefined, { signal }).catch(() => {});
      try {
        return onMade(await this.#connect());
      } catch (thrown) {
        if (!(thrown instanceof KeylessError)) throw thrown;
        if (thrown.code !== "ABORTED") last = thrown;
      }
      const isGone = performance.now() - this.#goneSinceMs > GONE_MS;
      if (isGone && !signal.aborted) return this.#onGone(last);
    }
  }

  close(): void {
    this.#abort.abort();
    for (const link of this.#links) link.close();
    this.#links.length = 0;
  }

  async #connect(): Promise<Link> {
    const { endpoint, inFlight, operations } = this.#plan;
    const startMs = performance.now();
    try {
      const link = await dial(
        this.#dialOptions,
        (socket) => new Link(socket, endpointText(endpoint), inFlight, operations, this.#observer),
      );
      this.#tally.made++;
      this.#tally.setUp.recordValue(clampNs((performance.now() - startMs) * NS_A_MS));
      this.#links.push(link);
      this.#withRoom.push(link);
      this.#goneSinceMs = Infinity;
      return link;
    } catch (thrown) {
      if (!this.#abort.signal.aborted) this.#tally.connectsFailed++;
      throw thrown;
    }
  }
}

/** Takes one out; the last takes its place. */
function remove(links: Link[], at: number): void {
  const last = links.pop()!;
  if (at < links.length) links[at] = last;
}

const HANDSHAKES_AT_ONCE = 16;
const RETRY_MS = 50;
/** A target is gone that no connection can be made to for so long. */
const GONE_MS = 2_000;
