import { ModuleChannel } from "../../src/hsm/module_channel.ts";
import type { ModuleInfo } from "../../src/hsm/module.ts";
import { pinVariables } from "../../src/hsm/pin.ts";
import { selectToken, type TokenSlot } from "../../src/hsm/select_token.ts";
import type { Pkcs11Uri } from "../../src/hsm/uri.ts";
import { MODULE_COMMAND } from "../commands/pkcs11_module.ts";
import { ownCommand } from "../own_command.ts";

export interface OpenOptions {
  /** How long a call of the module may take. */
  readonly timeoutMs: number;
  /** How many sessions may be open at once. */
  readonly maxSessions?: number;
  /** Takes what the module prints, a line each. */
  readonly warnings: string[];
  /** Variables of the environment that the module does not get. */
  readonly secretEnv?: readonly string[];
}

/**
 * Opens a module in a process of its own, and ends that after use: what hangs or crashes there is an
 * error here.
 *
 * @throws KeylessError "HSM_MODULE", "HSM_FAILED"; what `use` throws
 */
export async function withModule<Result>(
  path: string,
  { timeoutMs, maxSessions = 1, warnings, secretEnv }: OpenOptions,
  use: (channel: ModuleChannel) => Promise<Result>,
): Promise<Result> {
  let lines = 0;
  const channel = new ModuleChannel({
    command: [...ownCommand(), MODULE_COMMAND, path],
    callTimeoutMs: timeoutMs,
    signTimeoutMs: timeoutMs,
    maxSessions,
    secretEnv,
    onOutput: (line) => {
      if (lines++ < MAX_LINES) warnings.push(`the PKCS#11 module says: ${line}`);
    },
  });
  const gone = new Promise<void>((resolve) => channel.once("exit", resolve));
  channel.on("error", () => {}); // whoever asks is told
  try {
    await channel.opened;
    return await use(channel);
  } finally {
    channel.end();
    await gone;
  }
}

/** The module and the token that a URI names. */
export interface OpenToken {
  readonly channel: ModuleChannel;
  readonly path: string;
  readonly info: ModuleInfo;
  readonly slot: TokenSlot;
}

/**
 * Opens the module, and finds the token of a URI in it.
 *
 * @throws KeylessError "HSM_TOKEN"; as `withModule`
 */
export function withToken<Result>(
  path: string,
  uri: Pkcs11Uri,
  options: OpenOptions,
  use: (token: OpenToken) => Promise<Result>,
): Promise<Result> {
  return withModule(path, { ...options, secretEnv: pinVariables(uri) }, async (channel) => {
    const info = await channel.ask("info", undefined);
    const slot = selectToken(uri, await channel.ask("slots", undefined), info);
    return await use({ channel, path, info, slot });
  });
}

/** Some modules are talkative. */
const MAX_LINES = 10;
