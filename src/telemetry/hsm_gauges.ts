/** A PKCS#11 token in use, and its sessions for signatures. */
export interface TokenGauges {
  /** Its label; printable. */
  readonly token: string;
  readonly serial: string;
  readonly isUp: boolean;
  /** Why it cannot be used; undefined where it can. */
  readonly why: string | undefined;
  readonly sessions: number;
  readonly inUse: number;
  /** The most that have ever been in use at once. */
  readonly largest: number;
  readonly maxSessions: number;
  /** Requests that wait for a session. */
  readonly waiting: number;
  readonly oldestMs: number;
  /** Requests that waited in vain. */
  readonly exhausted: number;
  /** By the names that PKCS#11 has for them. */
  readonly errors: Readonly<Record<string, number>>;
}

/** A PKCS#11 module, in a process of its own. */
export interface ModuleGauges {
  readonly path: string;
  readonly deaths: number;
}

/** All of a server. */
export interface HsmGauges {
  readonly tokens: readonly TokenGauges[];
  readonly modules: readonly ModuleGauges[];
}
