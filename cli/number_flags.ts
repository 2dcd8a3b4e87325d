import { acceptedBy, parseValue } from "../src/config/kinds.ts";
import type { Setting } from "../src/config/settings.ts";
import { KeylessError } from "../src/errors/errors.ts";
import { quoted } from "../src/errors/printable.ts";

/** What a number or a duration may be. */
export type NumberRow = Pick<Setting, "kind" | "min" | "max" | "minMs">;

export const COUNT: NumberRow = { kind: "count", min: 1, max: 1_000_000 };
export const DURATION: NumberRow = { kind: "duration", minMs: 0 };

/**
 * Reads the number of a flag as the settings of the server are read; durations give milliseconds.
 *
 * @throws KeylessError "USAGE"
 */
export function readNumber(flag: string, text: string, row: NumberRow): number {
  const setting = { default: 0, help: "", ...row };
  const parsed = parseValue(setting, text);
  if (parsed !== undefined) return Number(parsed.value);
  throw new KeylessError("USAGE", `${flag} is ${quoted(text)}; give ${acceptedBy(setting)}`);
}
