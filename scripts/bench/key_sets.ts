import { generateKeyPairSync, type KeyPairKeyObjectResult } from "node:crypto";
import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import type { Workplace } from "./processes.ts";
import type { KeySet } from "./types.ts";

/** What each set has beside the keys of `--dev`: so many of P-256. */
const P256_KEYS: Readonly<Record<KeySet, number>> = { few: 0, "1,000": 1_000, "100,000": 100_000 };

const MORE_RSA = ["rsa-2048-b", "rsa-2048-c", "rsa-2048-d", "rsa-2048-e"];

/** Directories of `--dev`, with throw-away certificates and a set of keys each. */
export class KeySets {
  readonly #workplace: Workplace;
  readonly #made = new Map<KeySet, string>();

  constructor(workplace: Workplace) {
    this.#workplace = workplace;
  }

  /** The directory of a set, made when it is asked for first. */
  async directory(set: KeySet): Promise<string> {
    const known = this.#made.get(set);
    if (known !== undefined) return known;
    const path = join(this.#workplace.directory, set.replace(",", ""));
    if (set === "few") await this.#makeFew(path);
    else cpSync(await this.directory("few"), path, { recursive: true });
    for (let at = 0; at < P256_KEYS[set]; at++) {
      if (at % KEYS_A_TURN === 0) await setImmediate(); // Ctrl-C is heard
      const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
      writeKey(path, `p256-${at}`, pair);
    }
    this.#made.set(set, path);
    return path;
  }

  /** The server makes them. */
  async #makeFew(path: string): Promise<void> {
    const server = await this.#workplace.serve(["--dev", "--dev-dir", path, "--port", "0"]);
    await server.stop();
    for (const name of MORE_RSA) {
      const pair = generateKeyPairSync("rsa", { modulusLength: 2_048 });
      writeKey(path, name, pair);
      const pem = pair.publicKey.export({ type: "spki", format: "pem" });
      writeFileSync(publicFile(path, name), pem);
    }
  }
}

/** The public half of a key, for `keyless bench --public`. */
export function publicFile(directory: string, name: string): string {
  return join(directory, "keys", `${name}.pub`);
}

const KEYS_A_TURN = 1_000;

function writeKey(directory: string, name: string, { privateKey }: KeyPairKeyObjectResult): void {
  const pem = privateKey.export({ type: "pkcs8", format: "pem" });
  writeFileSync(join(directory, "keys", `${name}.key`), pem, { mode: 0o600 });
}
