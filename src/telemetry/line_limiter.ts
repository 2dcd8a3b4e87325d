/** A kind of line that a client causes, for a reason of which there are few. */
export interface LineSource {
  readonly kind: string;
  readonly client: string;
  readonly reason: string;
}

/** What was held back of one source when its window ended. */
export interface HeldBack extends LineSource {
  readonly count: number;
}

export interface LineLimiterOptions {
  /** Lines that a source may cause in a window before the rest are counted only. */
  readonly burst: number;
  readonly windowMs: number;
  /** Sources told apart at once; those beyond share one place, so that memory stays bounded. */
  readonly maxSources: number;
  readonly report: (held: HeldBack) => void;
}

/**
 * Keeps those who can cause log lines from flooding the log: a few lines of each source pass,
 * the rest are counted and summed up in one line at the end of the window.
 */
export class LineLimiter {
  readonly #options: LineLimiterOptions;
  readonly #seen = new Map<string, Entry>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: LineLimiterOptions) {
    this.#options = options;
  }

  /** Whether this line may be written. */
  admits(source: LineSource): boolean {
    const { kind, client, reason } = source;
    const key = `${kind}\n${client}\n${reason}`;
    const entry = this.#seen.get(key) ??
      (this.#seen.size < this.#options.maxSources
        ? this.#start(key, source)
        : this.#seen.get(kind) ?? this.#start(kind, { ...source, client: OTHERS, reason: "" }));
    entry.count += 1;
    return entry.count <= this.#options.burst;
  }

  /** Reports what was held back and starts anew. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { burst, report } = this.#options;
    for (const { count, ...source } of this.#seen.values()) {
      if (count > burst) report({ ...source, count: count - burst });
    }
    this.#seen.clear();
  }

  #start(key: string, source: LineSource): Entry {
    const entry = { ...source, count: 0 };
    this.#seen.set(key, entry);
    this.#timer ??= unreferenced(setTimeout(() => this.flush(), this.#options.windowMs));
    return entry;
  }
}

interface Entry extends LineSource {
  count: number;
}

export const OTHERS = "other clients";

function unreferenced<T>(timer: T): T {
  (timer as { unref?: () => void }).unref?.();
  return timer;
}
