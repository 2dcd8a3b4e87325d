import type { Writable } from "node:stream";
import { concat, encodeFrame, type FrameContent } from "./frames.ts";

/** The frames of one turn of the event loop leave in one write. */
export class Outbox {
  readonly #stream: Writable | null | undefined;
  readonly #frames: Uint8Array[] = [];

  /** @param stream none where its process could not be started: all is dropped then */
  constructor(stream: Writable | null | undefined) {
    this.#stream = stream;
  }

  send(content: FrameContent): void {
    this.#frames.push(encodeFrame(content));
    if (this.#frames.length === 1) queueMicrotask(() => this.#flush());
  }

  end(): void {
    this.#flush();
    this.#stream?.end();
  }

  /** Overwrites what has left: it may hold a PIN. */
  #flush(): void {
    if (this.#frames.length === 0) return;
    const bytes = concat(this.#frames);
    for (const frame of this.#frames.splice(0)) frame.fill(0);
    this.#stream?.write(bytes, () => bytes.fill(0));
  }
}
