import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type SoftHsm, softHsmPath } from "./softhsm.ts";

/** The module of `slow_module.c` over SoftHSM. */
export interface SlowModule {
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
  /** The next C_Sign hangs, crashes, drops all sessions of the token, or returns that CKR. */
  fail(how: "hang" | "crash" | "drop" | number): void;
  /** The next with which a key is tried after a login does so. */
  failTrial(how: "hang" | "crash" | number): void;
  healTrial(): void;
  /** Each C_Sign from here on returns the CKR of that number, until `heal`. */
  failAlways(ckr: number): void;
  heal(): void;
  /** Each C_Login from here on does so; without it, what it should. */
  failLogins(how?: "hang" | "crash" | "sleep" | "print" | number): void;
  /** How often C_Login was called so far. */
  logins(): number;
  /** And C_OpenSession. */
  opens(): number;
}

/** Compiles it, for a quarter of a second. */
export function makeSlowModule(
  hsm: SoftHsm,
  { initMs = 0, signMs = 0 }: { initMs?: number; signMs?: number } = {},
): SlowModule {
  const path = hsm.dir.at("slow_module.so");
  const fault = hsm.dir.at("fault");
  const trial = hsm.dir.at("trial");
  const login = hsm.dir.at("login");
  const logins = hsm.dir.at("logins");
  const opens = hsm.dir.at("opens");
  compileModule("slow_module.c", path);
  return {
    path,
    env: {
      ...hsm.env,
      SLOW_MODULE_REAL: softHsmPath(),
      SLOW_MODULE_INIT_MS: `${initMs}`,
      SLOW_MODULE_SIGN_MS: `${signMs}`,
      SLOW_MODULE_FAULT: fault,
      SLOW_MODULE_TRIAL: trial,
      SLOW_MODULE_LOGIN: login,
      SLOW_MODULE_LOGINS: logins,
      SLOW_MODULE_OPENS: opens,
    },
    fail: (how) => writeFileSync(fault, `${how}`),
    healTrial: () => rmSync(trial, { force: true }),
    failTrial: (how) => writeFileSync(trial, `${how}`),
    failAlways: (ckr) => writeFileSync(fault, `always ${ckr}`),
    heal: () => rmSync(fault, { force: true }),
    failLogins: (how) => writeFileSync(login, `${how ?? ""}`),
    logins: () => lengthOf(logins),
    opens: () => lengthOf(opens),
  };
}

/** The module of `reusing_module.c` over SoftHSM. */
export function makeReusingModule(hsm: SoftHsm): {
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
  /** The next C_Sign ends all sessions of the token. */
  drop(): void;
} {
  const path = hsm.dir.at("reusing_module.so");
  const drop = hsm.dir.at("drop");
  compileModule("reusing_module.c", path);
  return {
    path,
    env: { ...hsm.env, REUSING_MODULE_REAL: softHsmPath(), REUSING_MODULE_DROP: drop },
    drop: () => writeFileSync(drop, ""),
  };
}

/** @param source beside this file */
function compileModule(source: string, path: string): void {
  const [file, headers] = [`./${source}`, "../../node_modules/pkcs11js/includes/pkcs11"]
    .map((url) => fileURLToPath(new URL(url, import.meta.url))) as [string, string];
  const options = ["-shared", "-fPIC", "-O1", "-w", "-I", headers];
  execFileSync("gcc", [...options, file, "-o", path, "-ldl", "-lpthread"], { stdio: "pipe" });
}

function lengthOf(path: string): number {
  return existsSync(path) ? readFileSync(path).length : 0;
}
