import { toHex } from "../bytes/hex.ts";
import { KeylessError, messageOf } from "../errors/errors.ts";
import { printable } from "../errors/printable.ts";
import { HsmStore, type OpenModule, type PlacedKey } from "./hsm_store.ts";
import { MAX_KEYS } from "./key_handles.ts";
import type { ModuleChannel } from "./module_channel.ts";
import { findModule } from "./module_path.ts";
import type { MechanismInfo } from "./module.ts";
import { ModuleProcess } from "./module_process.ts";
import { pinVariables, readPin } from "./pin.ts";
import { RefusedPins } from "./refused_pins.ts";
import { selectToken } from "./select_token.ts";
import { sessionsOfModule, sessionsOfToken, signTimeoutOf, waitOf } from "./session_limits.ts";
import type { KeyName } from "./token_keys.ts";
import { TokenPool } from "./token_pool.ts";
import { formatUri, type Pkcs11Uri } from "./uri.ts";
import { chooseKeys, nameOfKey, namesOneKey, type UsableKey, usableKey } from "./usable_key.ts";

/** Told what happens to tokens; names and texts are printable. */
export interface HsmObserver {
  /** A token cannot be used for the moment; told once for each reason. */
  tokenAway(token: string, why: string): void;
  tokenBack(token: string): void;
  /** It gives no further session. */
  tokenLimited(token: string, why: string, sessions: number): void;
  /** A key is not on the token any more; it is looked for now and then. */
  keyMissing(token: string, key: string): void;
  keyBack(token: string, key: string): void;
  /** The process of a module has ended, and is replaced; told once for each reason in a row. */
  processDied(module: string, why: string): void;
  /** A line that the module has printed. */
  output(module: string, line: string): void;
}

export interface OpenHsmOptions {
  /** The program and the arguments that hold a module: they run `runModuleChild`. */
  readonly command: (modulePath: string) => readonly string[];
  /** Accept RSA keys of less than 2,048 bits. */
  readonly allowWeak?: boolean | undefined;
  /** Called with lines that name what they speak of. */
  readonly onWarning?: ((message: string) => void) | undefined;
  readonly observer?: HsmObserver | undefined;
}

/**
 * Opens the tokens that URIs name: a process for each module, a pool of sessions for each token, and
 * the keys that the URIs select.
 *
 * @throws KeylessError "HSM_MODULE", "HSM_TOKEN", "HSM_PIN", "HSM_KEY", "HSM_FAILED", "FILE_READ": a
 *   line for each URI that cannot be used. Nothing is left open then, and each PIN was tried once
 */
export async function openHsmStore(
  uris: readonly Pkcs11Uri[],
  options: OpenHsmOptions,
): Promise<HsmStore> {
  const opening = new Opening(uris, options);
  const byModule = Map.groupBy(
    uris.flatMap((uri) => {
      const path = opening.attempt(uri, () => findModule(uri));
      return path === undefined ? [] : [{ uri, path }];
    }),
    ({ path }) => path,
  );
  for (const [path, entries] of byModule) {
    await opening.openModule(path, entries.map(({ uri }) => uri));
  }
  const store = new HsmStore(opening.modules, opening.keys);
  if (opening.failures.length === 0) return store;
  await store.close();
  throw together(opening.failures);
}

/** What is opened on the way to a store, and what stood in the way. */
class Opening {
  readonly modules: OpenModule[] = [];
  readonly keys: PlacedKey[] = [];
  readonly failures: KeylessError[] = [];
  readonly #options: OpenHsmOptions;
  readonly #refused = new RefusedPins();
  readonly #skis = new Set<string>();
  /** No module's process gets the PIN of any. */
  readonly #secretEnv: readonly string[];

  constructor(uris: readonly Pkcs11Uri[], options: OpenHsmOptions) {
    this.#options = options;
    this.#secretEnv = uris.flatMap(pinVariables);
  }

  /** @returns undefined where it failed: the failure is kept, with the URI */
  attempt<Result>(uri: Pkcs11Uri, step: () => Result): Result | undefined {
    try {
      return step();
    } catch (thrown) {
      this.#failed(uri, thrown);
      return undefined;
    }
  }

  async openModule(path: string, uris: readonly Pkcs11Uri[]): Promise<void> {
    try {
      const module = this.#startModule(path, uris);
      this.modules.push(module);
      await module.process.opened;
      const channel = module.process.channel!;
      const [info, slots] = await Promise.all([
        channel.ask("info", undefined),
        channel.ask("slots", undefined),
      ]);
      const entries = uris.flatMap((uri) => {
        const slot = this.attempt(uri, () => selectToken(uri, slots, info));
        return slot === undefined ? [] : [{ uri, slotId: slot.slotId }];
      });
      for (const [slotId, ofToken] of Map.groupBy(entries, ({ slotId }) => slotId)) {
        await this.#openToken(module, channel, slotId, ofToken.map(({ uri }) => uri));
      }
    } catch (thrown) {
      for (const uri of uris) this.#failed(uri, thrown);
    }
  }

  #startModule(path: string, uris: readonly Pkcs11Uri[]): OpenModule {
    const pools: TokenPool[] = [];
    const { command, observer } = this.#options;
    const name = printable(path);
    let told: string | undefined;
    const process = new ModuleProcess({
      command: command(path),
      secretEnv: this.#secretEnv,
      maxSessions: sessionsOfModule(uris),
      signTimeoutMs: signTimeoutOf(waitOf(uris)),
      onOpen: () => {
        told = undefined;
        for (const pool of pools) pool.processOpened();
      },
      onDeath: (why) => {
        if (why !== told) observer?.processDied(name, why);
        told = why;
      },
      onOutput: (line) => observer?.output(name, line),
    });
    return { path, process, pools };
  }

  /** Logs in once for all URIs of the token. */
  async #openToken(
    module: OpenModule,
    channel: ModuleChannel,
    slotId: number,
    uris: readonly Pkcs11Uri[],
  ): Promise<void> {
    const pool = this.#poolOf(module, uris);
    try {
      await pool.open();
      const mechanisms = await channel.ask("mechanisms", { slotId });
      const first = this.keys.length;
      for (const uri of uris) await this.#addKeys(pool, uri, mechanisms);
      await pool.serve(this.keys.slice(first));
      module.pools.push(pool);
    } catch (thrown) {
      pool.close();
      for (const uri of uris) this.#failed(uri, thrown);
    }
  }

  #poolOf(module: OpenModule, uris: readonly Pkcs11Uri[]): TokenPool {
    const [uri] = uris as readonly [Pkcs11Uri, ...Pkcs11Uri[]];
    const { observer, onWarning } = this.#options;
    const withPin = uris.find((uri) => uri["pin-source"] ?? uri["pin-value"]) ?? uri;
    const name = () => printable(pool.slot.token.label);
    let isFirst = true;
    const pool: TokenPool = new TokenPool(module.process, {
      uri,
      ...sessionsOfToken(uris),
      waitMs: waitOf(uris),
      readPin: () => {
        const warn = isFirst ? onWarning : undefined;
        isFirst = false;
        return readPin(withPin, warn);
      },
      refused: this.#refused,
      onAway: (why) => observer?.tokenAway(name(), why),
      onBack: () => observer?.tokenBack(name()),
      onLimited: (why, count) => observer?.tokenLimited(name(), why, count),
      onKeyMissing: (key) => observer?.keyMissing(name(), nameOfKey(key)),
      onKeyBack: (key) => observer?.keyBack(name(), nameOfKey(key)),
      isShared: () => module.pools.length > 1,
      onStuck: (why) => {
        // a module may see its tokens at its start alone; others of it are not disturbed
        if (module.pools.some((other) => other !== pool && other.isOfUse)) return;
        module.process.channel?.kill(`it is started again, for a token is away: ${why}`);
      },
    });
    return pool;
  }

  async #addKeys(
    pool: TokenPool,
    uri: Pkcs11Uri,
    mechanisms: readonly MechanismInfo[],
  ): Promise<void> {
    const template = {
      ...(uri.id === undefined ? {} : { id: uri.id }),
      ...(uri.object === undefined ? {} : { label: uri.object }),
    };
    try {
      const chosen = chooseKeys(uri, await pool.findKeys(template));
      if (this.keys.length + chosen.length > MAX_KEYS) {
        throw new KeylessError("HSM_KEY", `more than ${MAX_KEYS} keys in all; name fewer of them`);
      }
      for (const found of chosen) {
        try {
          const usable = usableKey(found, mechanisms, this.#options.allowWeak ?? false);
          this.#addKey(pool, uri, { ...found, ...usable });
        } catch (thrown) {
          if (namesOneKey(uri)) throw thrown;
          this.#options.onWarning?.(`${entryOf(uri)}: left out: ${messageOf(thrown)}`);
        }
      }
    } catch (thrown) {
      this.#failed(uri, thrown);
    }
  }

  #addKey(
    pool: TokenPool,
    uri: Pkcs11Uri,
    found: UsableKey & KeyName,
  ): void {
    const ski = toHex(found.info.ski);
    if (this.#skis.has(ski)) return; // another entry has brought it
    this.#skis.add(ski);
    const { info, mechanisms, id, label } = found;
    const number = this.keys.length; // of all modules together
    const names = { entry: entryOf(uri), name: nameOfKey(found) };
    this.keys.push({ info, mechanisms, id, label, ...names, pool, number });
  }

  #failed(uri: Pkcs11Uri, thrown: unknown): void {
    const code = thrown instanceof KeylessError ? thrown.code : "INTERNAL";
    this.failures.push(new KeylessError(code, `${entryOf(uri)}: ${messageOf(thrown)}`));
  }
}

/** The code is that of a PIN where there is one: nobody is to start the program again and try it. */
function together(failures: readonly KeylessError[]): KeylessError {
  const lines = new Set(failures.map(({ message }) => message));
  const cause = failures.find(({ code }) => code === "HSM_PIN") ?? failures[0]!;
  return new KeylessError(cause.code, [...lines].join("\n"), { cause });
}

/** The path alone: what is behind it says how to get there. */
function entryOf(uri: Pkcs11Uri): string {
  return printable(formatUri(uri).split("?")[0]!);
}
