import { generateKeyPair } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

/** Makes one private key of each kind that the default engine serves, as `DIR/NAME.key`, 0600. */
export async function makeDevKeys(directory: string): Promise<void> {
  await Promise.all(
    Object.entries(KEYS).map(async ([name, make]) => {
      const { privateKey } = await make();
      const pem = privateKey.export({ type: "pkcs8", format: "pem" });
      await writeFile(join(directory, name), pem, { mode: 0o600, flag: "wx" });
    }),
  );
}

const generate = promisify(generateKeyPair);
const rsa = (modulusLength: number) => () => generate("rsa", { modulusLength });
const ec = (namedCurve: string) => () => generate("ec", { namedCurve });

const KEYS = {
  "rsa-2048.key": rsa(2_048),
  "rsa-3072.key": rsa(3_072),
  "rsa-4096.key": rsa(4_096),
  "p224.key": ec("P-224"),
  "p256.key": ec("P-256"),
  "p384.key": ec("P-384"),
  "p521.key": ec("P-521"),
  "ed25519.key": () => generate("ed25519"),
} as const;
