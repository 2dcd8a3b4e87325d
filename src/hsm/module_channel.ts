import { type ChildProcess, spawn } from "node:child_process";
import { EventEmitter } from "node:events";
import process from "node:process";
import type { Stream, Writable } from "node:stream";
import { KeylessError, messageOf } from "../errors/errors.ts";
import { Asker, type Channel } from "../threads/questions.ts";
import { type FrameContent, FrameReader } from "./frames.ts";
import type { ModuleCalls } from "./module_calls.ts";
import type { ChildOrder, ChildWord } from "./module_child.ts";
import { ModuleOutput } from "./module_output.ts";
import { ModuleSession } from "./module_session.ts";
import { Outbox } from "./outbox.ts";

export interface ModuleChannelOptions {
  /** The program and the arguments that run `runModuleChild`. */
  readonly command: readonly string[];
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Variables of this process's environment that are left out, besides KEYLESS_…: they hold PINs. */
  readonly secretEnv?: readonly string[] | undefined;
  /** How many sessions may be open at once, of all tokens: there is a socket for each. */
  readonly maxSessions?: number | undefined;
  /** How long a call of the module may take before the process is taken for hung, and killed. */
  readonly callTimeoutMs?: number | undefined;
  /** The same of what is done in a session that is open. */
  readonly signTimeoutMs?: number | undefined;
  /** Told what the module prints: a line, printable. */
  readonly onOutput?: ((line: string) => void) | undefined;
}

/**
 * A process that holds a PKCS#11 module, from its start to its end. Emits "error" with the reason
 * where it ends though nobody wanted it to, then "exit".
 */
export class ModuleChannel extends EventEmitter {
  /** Resolves when the module is open. Rejects with KeylessError "HSM_MODULE", "HSM_FAILED". */
  readonly opened: Promise<void>;
  readonly #child: ChildProcess;
  readonly #options: ModuleChannelOptions;
  readonly #asker: Asker<ModuleCalls>;
  readonly #words = new EventEmitter();
  readonly #sessions = new Map<number, ModuleSession>();
  readonly #opening = Promise.withResolvers<void>();
  readonly #out: Outbox;
  readonly #freeSockets: number[];
  #sessionsSoFar = 0;
  readonly #output: ModuleOutput;
  #lastAsked: Promise<void> = Promise.resolve();
  /** Resolves when no login is under way. */
  #loggedIn: Promise<void> = Promise.resolve();
  #watch: ReturnType<typeof setInterval> | undefined;
  #isEnding = false;
  #isEnded = false;
  #why: string | undefined;

  constructor(options: ModuleChannelOptions) {
    super();
    this.#options = options;
    this.#output = new ModuleOutput((line) => options.onOutput?.(line));
    this.opened = this.#opening.promise;
    this.opened.catch(() => {}); // whoever waits for it is told
    const channel: Channel = {
      postMessage: (message) => this.#out.send({ message }),
      on: (event, listener) => this.#words.on(event, listener),
    };
    this.#asker = new Asker(channel);
    this.#words.on("message", (word: ChildWord) => this.#heard(word));
    const sessions = options.maxSessions ?? DEFAULT_SESSIONS;
    this.#freeSockets = Array.from({ length: sessions }, (_, index) => FIRST_SOCKET + index);
    const [program, ...args] = options.command;
    try {
      this.#child = spawn(program!, args, {
        stdio: ["pipe", "pipe", "pipe", "pipe", ...Array<"pipe">(sessions).fill("pipe")],
        env: { ...environmentWithout(options.secretEnv), ...options.env },
      });
    } catch (thrown) { // Bun, where open files are short; Deno emits "error"
      throw unstartable(thrown, sessions);
    }
    this.#out = new Outbox(this.#child.stdin);
    this.#listen();
    const timer = this.#killLater("opening it");
    this.opened.finally(() => clearTimeout(timer)).catch(() => {});
  }

  /**
   * Asks the module, once it has answered what was asked before: so it is known in which call a
   * process has ended. A call that takes too long ends the process.
   *
   * @param onAsked called when the question is handed over, not where the process was gone by then
   * @throws KeylessError what the module's process answered; "HSM_FAILED" where that ended, a
   *   `CallHung` where it had to, for this call
   */
  async ask<Name extends keyof ModuleCalls>(
    name: Name,
    asked: Parameters<ModuleCalls[Name]>[0],
    onAsked?: () => void,
  ): Promise<Awaited<ReturnType<ModuleCalls[Name]>>> {
    const before = this.#lastAsked;
    const answered = Promise.withResolvers<void>();
    this.#lastAsked = answered.promise;
    await before;
    let hasHung = false;
    const timer = this.#killLater(name, () => {
      hasHung = true;
      answered.resolve();
    });
    try {
      if (this.#why !== undefined) throw new KeylessError("HSM_FAILED", this.#why);
      if (name === "login") this.#loggedIn = answered.promise;
      onAsked?.();
      return await this.#asker.ask(name, asked);
    } catch (thrown) {
      if (thrown instanceof KeylessError) throw thrown;
      const Failure = hasHung ? CallHung : KeylessError;
      throw new Failure("HSM_FAILED", this.#why ?? messageOf(thrown), { cause: thrown });
    } finally {
      clearTimeout(timer);
      answered.resolve();
    }
  }

  /** What the module prints of a PIN is not told: the bytes are copied, and overwritten at the end. */
  hide(pin: Uint8Array): void {
    this.#output.hide(pin);
  }

  /**
   * Opens a session, on a thread of its own.
   *
   * @throws as `ask`
   */
  async openSession(slotId: number): Promise<ModuleSession> {
    if (this.#why !== undefined) throw new KeylessError("HSM_FAILED", this.#why);
    const fd = this.#freeSockets.pop();
    if (fd === undefined) throw new KeylessError("HSM_FAILED", NO_SOCKET);
    const out = new Outbox(this.#child.stdio[fd] as Writable | undefined);
    const number = this.#sessionsSoFar++;
    const session = new ModuleSession(number, (content) => {
      this.#watch ??= setInterval(() => this.#findHung(), WATCH_MS);
      out.send(content);
    });
    this.#sessions.set(fd, session);
    void session.gone.then(() => {
      this.#sessions.delete(fd);
      this.#freeSockets.push(fd); // its thread has read all that was meant for it
    });
    const order: ChildOrder = { startSession: { slotId, fd, session: number } };
    this.#out.send({ message: order });
    let hasHung = false;
    const timer = this.#killLater("opening a session", () => hasHung = true);
    try {
      await session.opened;
      return session;
    } catch (thrown) {
      await session.gone;
      throw hasHung ? new CallHung("HSM_FAILED", messageOf(thrown)) : thrown;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Whether the process is gone, or was told to go. */
  get isEnding(): boolean {
    return this.#isEnding || this.#why !== undefined;
  }

  /** Ends the process after the calls in its hands. */
  end(): void {
    this.#isEnding = true;
    for (const session of this.#sessions.values()) session.close();
    this.#out.end();
    setTimeout(() => this.#child.kill("SIGKILL"), END_MS).unref();
  }

  /**
   * Ends the process at once; "error" says why. Not in the middle of a login: nobody would know whether
   * its PIN was right.
   */
  kill(why: string): void {
    this.#why ??= why;
    void this.#loggedIn.then(() => {
      this.#child.kill("SIGKILL");
      // one that waits for a device in the kernel does not end, and is not waited for
      setTimeout(() => this.#ended(why), GIVEN_UP_MS).unref();
    });
  }

  #killLater(what: string, onKill = () => {}): ReturnType<typeof setTimeout> {
    const timeoutMs = this.#options.callTimeoutMs ?? CALL_TIMEOUT_MS;
    return setTimeout(() => {
      onKill();
      this.kill(hung(what, timeoutMs));
    }, timeoutMs);
  }

  #listen(): void {
    this.#child.on("error", (error) => {
      const { code, message } = unstartable(error, this.#freeSockets.length);
      this.#opening.reject(new KeylessError(code, message));
      this.#why ??= message;
      this.#ended(message);
    });
    this.#child.on("exit", (code, signal) => {
      this.#ended(signal === null ? `it ended with exit code ${code}` : `it ended by ${signal}`);
    });
    this.#child.on("close", () => this.#output.close());
    // there are none where the program cannot be started
    const [stdin, stdout, stderr, replies, ...sockets] =
      (this.#child.stdio ?? []) as readonly (Stream | null)[];
    stdin?.on("error", () => {}); // "exit" tells
    this.#read(
      replies,
      ({ message }: { message: unknown }) => this.#words.emit("message", message),
    );
    for (const [index, socket] of sockets.entries()) {
      this.#read(socket, (content: FrameContent) => {
        if (this.#why !== undefined) return; // what a process says that has to go is not trusted
        this.#sessions.get(FIRST_SOCKET + index)?.take(content);
      });
    }
    for (const stream of [stdout, stderr]) this.#listenToOutput(stream);
  }

  #listenToOutput(stream: Stream | null | undefined): void {
    const read = this.#output.reader();
    stream?.on("error", () => {});
    stream?.on("data", read);
    stream?.on("end", read);
  }

  #read(stream: Stream | null | undefined, take: (content: never) => void): void {
    const frames = new FrameReader();
    stream?.on("error", () => {}); // "exit" tells
    stream?.on("data", (chunk: Uint8Array) => {
      try {
        for (const content of frames.read(chunk)) take(content as never);
      } catch (thrown) {
        this.kill(messageOf(thrown));
      }
    });
  }

  #heard(word: ChildWord): void {
    if ("opened" in word) this.#opening.resolve();
    if ("failed" in word) {
      this.#opening.reject(new KeylessError(word.failed.code, word.failed.message));
      this.kill(word.failed.message);
    }
  }

  #findHung(): void {
    const timeoutMs = this.#options.signTimeoutMs ?? CALL_TIMEOUT_MS;
    let oldest: ModuleSession | undefined;
    for (const session of this.#sessions.values()) {
      if (session.busySinceMs === undefined) continue;
      if (oldest === undefined || session.busySinceMs < oldest.busySinceMs!) oldest = session;
    }
    if (oldest === undefined) {
      clearInterval(this.#watch);
      this.#watch = undefined;
    } else if (performance.now() - oldest.busySinceMs! > timeoutMs) {
      const why = hung("a signature", timeoutMs);
      this.kill(why);
      oldest.ended(why, true); // others may but wait for what it has locked
    }
  }

  #ended(what: string): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    const why = this.#why ?? `the process of the PKCS#11 module is gone: ${what}`;
    this.#why = why;
    clearInterval(this.#watch);
    this.#opening.reject(new KeylessError("HSM_FAILED", why));
    this.#asker.end();
    for (const session of this.#sessions.values()) session.ended(why);
    this.#sessions.clear();
    // what the module has started may hold the other ends
    setTimeout(() => this.#letGo(), STREAMS_MS).unref();
    if (!this.#isEnding) this.emit("error", new Error(why));
    this.emit("exit");
  }

  #letGo(): void {
    this.#child.unref();
    for (const stream of this.#child.stdio ?? []) stream?.destroy();
    this.#output.close();
  }
}

/** A vendor's library has no use for what is meant for this program. */
function environmentWithout(secrets: readonly string[] = []): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) =>
    !name.startsWith("KEYLESS_") && !secrets.includes(name)
  );
  return Object.fromEntries(kept);
}

/** A call that did not return in time: the process was killed for it. */
export class CallHung extends KeylessError {}

function unstartable(thrown: unknown, sessions: number): KeylessError {
  return new KeylessError(
    "HSM_MODULE",
    `the process of the PKCS#11 module cannot be started: ${messageOf(thrown)}. It takes ` +
      `${FIRST_SOCKET + sessions} open files: if they are short, raise their limit (ulimit -n, ` +
      "LimitNOFILE), or lower max-sessions",
    { cause: thrown },
  );
}

function hung(what: string, timeoutMs: number): string {
  return `the PKCS#11 module hangs: ${what} did not return within ${timeoutMs / 1_000} s`;
}

const NO_SOCKET = "all sessions of the PKCS#11 module's process are in use";
const FIRST_SOCKET = 4;
const DEFAULT_SESSIONS = 16;
const CALL_TIMEOUT_MS = 30_000;
const END_MS = 3_000;
const WATCH_MS = 250;
/** After SIGKILL a process has ended by then, or will not. */
const GIVEN_UP_MS = 5_000;
/** What it has printed before its end has been read by then. */
const STREAMS_MS = 1_000;
