import process from "node:process";
import type { HsmStore } from "../../src/hsm/hsm_store.ts";
import { type HsmObserver, openHsmStore } from "../../src/hsm/open_hsm_store.ts";
import { parseUri } from "../../src/hsm/uri.ts";
import { moduleCommand } from "./hsm_process.ts";
import { PIN } from "./softhsm.ts";

/** What has happened to tokens: "away prod: WHY". */
export class HsmEvents implements HsmObserver {
  readonly told: string[] = [];
  readonly #waiting: (() => void)[] = [];

  tokenAway(token: string, why: string): void {
    this.#tell(`away ${token}: ${why}`);
  }
  tokenBack(token: string): void {
    this.#tell(`back ${token}`);
  }
  tokenLimited(token: string, why: string, sessions: number): void {
    this.#tell(`limited ${token} to ${sessions}: ${why}`);
  }
  keyMissing(token: string, key: string): void {
    this.#tell(`missing on ${token}: ${key}`);
  }
  keyBack(token: string, key: string): void {
    this.#tell(`found on ${token}: ${key}`);
  }
  processDied(_module: string, why: string): void {
    this.#tell(`died: ${why}`);
  }
  output(_module: string, line: string): void {
    this.#tell(`output: ${line}`);
  }

  /** The first that matches, past or to come. */
  async event(pattern: RegExp): Promise<string> {
    for (;;) {
      const found = this.told.find((line) => pattern.test(line));
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #tell(line: string): void {
    this.told.push(line);
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/**
 * Opens a store in this process, with the right PIN unless a URI names another.
 *
 * @param env for the modules' processes, and for nothing else
 */
export function openStore(
  uris: readonly string[],
  env: Readonly<Record<string, string>>,
  observer?: HsmObserver,
  onWarning?: (message: string) => void,
): Promise<HsmStore> {
  process.env["TEST_TOKEN_PIN"] = PIN;
  const parsed = uris.map((uri) => {
    return parseUri(/pin-/.test(uri) ? uri : `${uri}&pin-source=env:TEST_TOKEN_PIN`);
  });
  const command = (path: string) => {
    const set = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    return ["env", ...set, ...moduleCommand(path)];
  };
  return openHsmStore(parsed, { command, observer, onWarning });
}
