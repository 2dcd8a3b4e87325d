import { KeylessError } from "../errors/errors.ts";
import { WorkerSet } from "../threads/worker_set.ts";
import { ModuleChannel, type ModuleChannelOptions } from "./module_channel.ts";

export interface ModuleProcessOptions extends ModuleChannelOptions {
  /**
   * The module is open: at the start, and after each replacement. Nobody is logged in, and no key is
   * bound to a number.
   */
  readonly onOpen?: ((channel: ModuleChannel) => void) | undefined;
  /** The process has ended though nobody wanted it to, and is replaced `delayMs` later. */
  readonly onDeath?: ((why: string, delayMs: number) => void) | undefined;
}

/**
 * Keeps a PKCS#11 module in a process of its own. One that crashes or hangs is replaced: at once if
 * it has lived for a while, else a little later each time.
 */
export class ModuleProcess {
  /**
   * Resolves when the module is open for the first time. Rejects as `ModuleChannel.opened` does where
   * the first process fails; the caller stops it, or lets it be tried again.
   */
  readonly opened: Promise<void>;
  readonly #options: ModuleProcessOptions;
  readonly #set: WorkerSet<ModuleChannel>;
  #channel: ModuleChannel | undefined;

  constructor(options: ModuleProcessOptions) {
    this.#options = options;
    let unstartable: string | undefined;
    this.#set = new WorkerSet({
      count: 1,
      start: () => new ModuleChannel(options),
      onStart: (_id, channel) => this.#started(channel),
      onEnd: () => this.#channel = undefined,
      onDeath: (why, delayMs) => {
        unstartable ??= why;
        options.onDeath?.(why, delayMs);
      },
    });
    const [first] = this.#set.workers.values();
    this.opened = first?.opened ?? Promise.reject(new KeylessError("HSM_MODULE", unstartable!));
    this.opened.catch(() => {}); // whoever waits for it is told
  }

  /** Undefined while there is no process whose module is open. */
  get channel(): ModuleChannel | undefined {
    return this.#channel?.isEnding === false ? this.#channel : undefined;
  }

  /** How many processes have died so far. */
  get deaths(): number {
    return this.#set.deaths;
  }

  /** Ends the process after the calls in its hands. */
  stop(): Promise<void> {
    return this.#set.stop((channel) => channel.end());
  }

  async #started(channel: ModuleChannel): Promise<void> {
    try {
      await channel.opened;
    } catch { // its end is told by `onDeath`
      return;
    }
    this.#channel = channel;
    this.#options.onOpen?.(channel);
  }
}
