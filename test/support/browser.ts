import { type ChildProcess, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { makeTempDir, type TempDir } from "./temp_dir.ts";

/**
 * Debian's chromium without a window, driven by the DevTools protocol over a pipe: messages are JSON
 * with a zero byte behind each.
 */
export class Browser {
  readonly #child: ChildProcess;
  readonly #profile: TempDir;
  readonly #waiting = new Map<number, (message: Message) => void>();
  readonly #events: Message[] = [];
  #wake = (): void => {};
  #lastId = 0;
  #session: string | undefined;

  private constructor(child: ChildProcess, profile: TempDir) {
    this.#child = child;
    this.#profile = profile;
    let text = "";
    (child.stdio[4] as Readable).on("data", (chunk) => {
      const parts = (text + String(chunk)).split("\0");
      text = parts.pop() ?? "";
      for (const part of parts) this.#receive(JSON.parse(part));
    });
  }

  static start(): Browser {
    const profile = makeTempDir();
    const child = spawn("chromium", [
      ...["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
      ...["--no-first-run", "--disable-background-networking", "--remote-debugging-pipe"],
      ...[`--user-data-dir=${profile.path}`, "about:blank"],
    ], { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    return new Browser(child, profile);
  }

  /** Opens a page, and waits until it is loaded. */
  async open(url: string): Promise<void> {
    const { targetId } = await this.call("Target.createTarget", { url: "about:blank" });
    const attached = await this.call("Target.attachToTarget", { targetId, flatten: true });
    this.#session = String(attached["sessionId"]);
    for (const domain of ["Page", "Network", "Log", "Runtime"]) await this.call(`${domain}.enable`);
    await this.call("Page.navigate", { url });
    while (!this.events("Page.loadEventFired").length) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  /** The value of an expression in the page, which must be JSON, or a promise of it. */
  async evaluate<Value>(expression: string): Promise<Value> {
    const how = { returnByValue: true, awaitPromise: true };
    const { result } = await this.call("Runtime.evaluate", { expression, ...how });
    return (result as { readonly value: Value }).value;
  }

  /** A command of the protocol. */
  async call(
    method: string,
    params: object = {},
  ): Promise<Readonly<Record<string, unknown>>> {
    const id = ++this.#lastId;
    const answer = new Promise<Message>((resolve) => this.#waiting.set(id, resolve));
    const sessionId = this.#session;
    const message = JSON.stringify({ id, method, params, sessionId });
    (this.#child.stdio[3] as Writable).write(`${message}\0`);
    const { result, error } = await answer;
    if (result === undefined) throw new Error(`${method}: ${JSON.stringify(error)}`);
    return result;
  }

  /** What the page caused so far. */
  events(method: string): readonly Readonly<Record<string, unknown>>[] {
    return this.#events.filter((event) => event.method === method)
      .map(({ params = {} }) => params);
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGKILL");
    await ended;
    this.#profile.remove();
  }

  #receive(message: Message): void {
    if (message.id === undefined) this.#events.push(message);
    else this.#waiting.get(message.id)?.(message);
    this.#wake();
  }
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: unknown;
}
