import { execFileSync } from "node:child_process";
import { copyFileSync, readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { findModule } from "../../src/hsm/module_path.ts";
import { parseUri } from "../../src/hsm/uri.ts";
import { openssl } from "./openssl.ts";
import { makeTempDir, type TempDir } from "./temp_dir.ts";

/** The right PIN of every token. */
export const PIN = "correct-1234";

/** The module of Debian's package `softhsm2`. */
export function softHsmPath(): string {
  return findModule(parseUri("pkcs11:?module-name=softhsm2"));
}

/** SoftHSM tokens of a test's own. */
export interface SoftHsm {
  readonly dir: TempDir;
  /** To be set for whatever loads the module. */
  readonly env: Readonly<Record<string, string>>;
  /** Makes a token with the PIN above. */
  addToken(label: string): void;
  /** Puts a key pair onto a token, whatever else has its name: PKCS#8 in PEM. */
  importKey(token: string, key: Uint8Array, options: { label: string; id: string }): void;
  /** Makes so many copies of each object of a token that has a key pair and nothing else. */
  copyObjects(token: string, count: number): void;
  /** Runs pkcs11-tool on a token, logged in; gives its output. */
  tool(token: string, ...args: readonly string[]): string;
  remove(): void;
}

export function makeSoftHsm(): SoftHsm {
  const dir = makeTempDir();
  const tokens = dir.at("tokens");
  execFileSync("mkdir", [tokens]);
  const config = dir.write(
    "softhsm2.conf",
    `directories.tokendir = ${tokens}\nlog.level = ERROR\n`,
  );
  const env = { SOFTHSM2_CONF: config };
  const run = (program: string, args: readonly string[]) =>
    execFileSync(program, args, { env: { ...process.env, ...env }, stdio: "pipe" }).toString();
  return {
    dir,
    env,
    addToken(label) {
      const pins = ["--pin", PIN, "--so-pin", "so-1234"];
      run("softhsm2-util", ["--init-token", "--free", "--label", label, ...pins]);
    },
    importKey(token, key, { label, id }) {
      const file = dir.write("key.pem", openssl(["pkcs8", "-topk8", "-nocrypt"], key));
      const where = ["--token", token, "--pin", PIN];
      run("softhsm2-util", ["--import", file, "--force", ...where, "--label", label, "--id", id]);
    },
    copyObjects(token, count) {
      const [folder] = readdirSync(tokens).map((name) => `${tokens}/${name}`).filter((path) =>
        readFileSync(`${path}/token.object`).includes(token)
      );
      const objects = readdirSync(folder!).filter((name) => /^[0-9a-f-]{36}\.object$/.test(name));
      for (let copy = 0; copy < count; copy++) {
        for (const name of objects) {
          const copied = name.replace(/^.{8}/, copy.toString(16).padStart(8, "0"));
          copyFileSync(`${folder}/${name}`, `${folder}/${copied}`);
        }
      }
    },
    tool(token, ...args) {
      const login = ["--login", "--pin", PIN];
      return run("pkcs11-tool", [
        "--module",
        softHsmPath(),
        "--token-label",
        token,
        ...login,
        ...args,
      ]);
    },
    remove: () => dir.remove(),
  };
}
