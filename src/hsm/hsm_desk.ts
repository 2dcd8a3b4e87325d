import type { Channel } from "../threads/questions.ts";
import type { HsmStore } from "./hsm_store.ts";
import {
  type HsmAnswered,
  type HsmAsked,
  type HsmMessage,
  type HsmReply,
  type HsmRequest,
  packHsmReplies,
  unpackHsmRequests,
} from "./worker_messages.ts";

/** The main thread's side of a worker that asks for operations of tokens: `HsmClient` is the other. */
export class HsmDesk {
  readonly #channel: Channel;
  readonly #store: Pick<HsmStore, "perform">;
  readonly #connections = new Map<number, Connection>();
  #replies: HsmReply[] = [];

  constructor(channel: Channel, store: Pick<HsmStore, "perform">) {
    this.#channel = channel;
    this.#store = store;
    channel.on("message", (message) => {
      const asked = (message as Partial<HsmMessage<HsmAsked>> | null | undefined)?.hsm;
      if (asked === undefined) return;
      if ("gone" in asked) this.#gone(asked.gone);
      else for (const request of unpackHsmRequests(asked.requests)) this.#perform(request);
    });
  }

  /** The worker has ended: nothing is wanted any more. */
  end(): void {
    for (const connection of this.#connections.values()) connection.aborted = true;
    this.#connections.clear();
  }

  #perform({ id, position, scheme, connection: number, leftMs, bytes }: HsmRequest): void {
    let connection = this.#connections.get(number);
    if (connection === undefined) {
      this.#connections.set(number, connection = { aborted: false, outstanding: 0 });
    }
    const asker = connection;
    asker.outstanding += 1;
    this.#store.perform(position, {
      ...{ scheme, bytes, connection },
      deadlineMs: performance.now() + leftMs,
      settle: (reply) => {
        asker.outstanding -= 1;
        if (asker.aborted) return;
        if (asker.outstanding === 0) this.#connections.delete(number);
        this.#replies.push({ ...reply, id }); // a session has numbers of its own
        if (this.#replies.length === 1) queueMicrotask(() => this.#flush());
      },
    });
  }

  #gone(number: number): void {
    const connection = this.#connections.get(number);
    if (connection === undefined) return;
    connection.aborted = true;
    this.#connections.delete(number);
  }

  /** Replies that were ready together travel together. */
  #flush(): void {
    const replies = packHsmReplies(this.#replies);
    this.#replies = [];
    this.#channel.postMessage({ hsm: { replies } } satisfies HsmMessage<HsmAnswered>);
  }
}

interface Connection {
  aborted: boolean;
  outstanding: number;
}
