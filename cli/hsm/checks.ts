import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { KeylessError } from "../../src/errors/errors.ts";
import { quoted } from "../../src/errors/printable.ts";
import type { MechanismInfo, TokenInfo } from "../../src/hsm/module.ts";

/** What must be there, for checks in CI. */
export interface CheckFlags {
  readonly requireToken?: readonly string[];
  readonly requireMechanism?: readonly string[];
}

export function addCheckOptions(command: CommandUnknownOpts): void {
  const collect = (value: string, before: string[] = []) => [...before, value];
  command
    .option(
      "--require-token <label>",
      "exit with 1 unless this token is there; repeatable",
      collect,
    )
    .option(
      "--require-mechanism <name>",
      "exit with 1 unless every token that is shown, or required, has it; repeatable",
      collect,
    );
}

export interface CheckedToken {
  readonly token: TokenInfo;
  /** Undefined where no mechanism is required. */
  readonly mechanisms?: readonly MechanismInfo[] | undefined;
}

/** What is missing, an error "CHECK_FAILED" each. */
export function missing(
  { requireToken = [], requireMechanism = [] }: CheckFlags,
  tokens: readonly CheckedToken[],
): readonly KeylessError[] {
  const labels = new Set(tokens.map(({ token }) => token.label));
  const absent = requireToken.filter((label) => !labels.has(label));
  const looked = requireToken.length === 0
    ? tokens
    : tokens.filter(({ token }) => requireToken.includes(token.label));
  const lacking = requireMechanism.flatMap((name) => {
    if (looked.length === 0) return [`no token is there to have ${mechanism(name)}`];
    return looked.filter(({ mechanisms = [] }) => !mechanisms.some((each) => each.name === name))
      .map(({ token }) => `the token ${quoted(token.label)} does not have ${mechanism(name)}`);
  });
  const known = [...labels].slice(0, MAX_LISTED).map(quoted).join(", ");
  return [
    ...absent.map((label) => `no token is labelled ${quoted(label)}; there is ${known || "none"}`),
    ...lacking,
  ].map((message) => new KeylessError("CHECK_FAILED", message));
}

/** @throws KeylessError "USAGE" for what cannot be the name of a mechanism */
export function checkNames({ requireMechanism = [] }: CheckFlags): void {
  for (const name of requireMechanism) {
    if (/^(?:CKM_[A-Z0-9_]+(?:\+0x[0-9a-f]+)?|0x[0-9a-f]+)$/.test(name)) continue;
    throw new KeylessError(
      "USAGE",
      `--require-mechanism is ${quoted(name)}; give a name like CKM_ECDSA, as ` +
        "keyless hsm mechanisms prints it",
    );
  }
}

const mechanism = (name: string) => `the mechanism ${name}`;
const MAX_LISTED = 10;
