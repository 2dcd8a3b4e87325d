import type { KeylessError } from "../../src/errors/errors.ts";
import { type CheckFlags, missing } from "./checks.ts";
import type { OpenToken } from "./open_module.ts";

/** What the token of a URI lacks, an error "CHECK_FAILED" each. */
export async function missingOf(
  flags: CheckFlags,
  { channel, slot }: OpenToken,
): Promise<readonly KeylessError[]> {
  const { slotId, token } = slot;
  const mechanisms = flags.requireMechanism === undefined
    ? undefined
    : await channel.ask("mechanisms", { slotId });
  return missing(flags, [{ token, mechanisms }]);
}
