/** What was held back of one kind of line for one client when its window ended. */
export interface HeldBack {
  readonly kind: string;
  readonly client: string;
  readonly count: number;
}

export interface LineLimiterOptions {
  /** Lines of a kind that a client may cause in a window before the rest are counted only. */
  readonly burst: number;
  readonly windowMs: number;
  /** Clients told apart at once; those beyond share one place, so that memory stays bounded. */
  readonly maxClients: number;
  readonly report: (held: HeldBack) => void;
}

/**
 * Keeps those who can cause log lines from flooding the log: a few lines of each kind and client
 * pass, the rest are counted and summed up in one line at the end of the window.
 */
export class LineLimiter {
  readonly #options: LineLimiterOptions;
  readonly #seen = new Map<string, Entry>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: LineLimiterOptions) {
    this.#options = options;
  }

  /** Whether this line may be written. */
  admits(kind: string, client: string): boolean {
    const key = `${kind}\n${client}`;
    const entry = this.#seen.get(key) ??
      (this.#seen.size < this.#options.maxClients
        ? this.#start(key, kind, client)
        : this.#seen.get(kind) ?? this.#start(kind, kind, OTHERS));
    entry.count += 1;
    return entry.count <= this.#options.burst;
  }

  /** Reports what was held back and starts anew. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { burst, report } = this.#options;
    for (const { kind, client, count } of this.#seen.values()) {
      if (count > burst) report({ kind, client, count: count - burst });
    }
    this.#seen.clear();
  }

  #start(key: string, kind: string, client: string): Entry {
    const entry = { kind, client, count: 0 };
    this.#seen.set(key, entry);
    this.#timer ??= unreferenced(setTimeout(() => this.flush(), this.#options.windowMs));
    return entry;
  }
}

interface Entry {
  readonly kind: string;
  readonly client: string;
  count: number;
}

export const OTHERS = "other clients";

function unreferenced<T>(timer: T): T {
  (timer as { unref?: () => void }).unref?.();
  return timer;
}
