import { KeylessError } from "../../src/errors/errors.ts";
import type { TokenSlot } from "../../src/hsm/select_token.ts";
import { TOKEN_FLAGS } from "../../src/hsm/token_flags.ts";
import type { Pkcs11Uri } from "../../src/hsm/uri.ts";
import type { CheckedToken } from "./checks.ts";
import type { ModuleReport } from "./module_report.ts";
import { type OpenOptions, withModule, withToken } from "./open_module.ts";

export interface LookOptions extends OpenOptions {
  readonly withMechanisms: boolean;
}

/** A module that was opened, and its initialised tokens, with their mechanisms where those were asked for. */
export interface SeenModule extends ModuleReport {
  readonly tokens: readonly (CheckedToken & TokenSlot)[];
}

/** Opens modules, one after the other; one that fails does not stand in the way of others. */
export async function lookAtModules(
  paths: readonly string[],
  options: LookOptions,
): Promise<{ readonly modules: readonly SeenModule[]; readonly errors: readonly KeylessError[] }> {
  const modules: SeenModule[] = [];
  const errors: KeylessError[] = [];
  for (const path of paths) {
    try {
      modules.push(await lookAt(path, options));
    } catch (thrown) {
      if (!(thrown instanceof KeylessError)) throw thrown;
      errors.push(thrown);
    }
  }
  return { modules, errors };
}

/**
 * Opens the one token of a URI.
 *
 * @throws as `withToken`
 */
export function lookAtToken(
  path: string,
  uri: Pkcs11Uri,
  options: OpenOptions,
): Promise<SeenModule> {
  return withToken(path, uri, options, async ({ channel, info, slot }) => {
    const mechanisms = await channel.ask("mechanisms", { slotId: slot.slotId });
    return { path, info, slots: [slot], tokens: [{ ...slot, mechanisms }] };
  });
}

function lookAt(path: string, options: LookOptions): Promise<SeenModule> {
  return withModule(path, options, async (channel) => {
    const info = await channel.ask("info", undefined);
    const slots = await channel.ask("slots", undefined);
    const tokens = [];
    for (const slot of slots) {
      const { slotId, token } = slot;
      if (token === undefined || (token.flags & TOKEN_FLAGS.TOKEN_INITIALIZED) === 0) continue;
      const mechanisms = options.withMechanisms
        ? await channel.ask("mechanisms", { slotId })
        : undefined;
      tokens.push({ ...slot, token, mechanisms });
    }
    return { path, info, slots, tokens };
  });
}
