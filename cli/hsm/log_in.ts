import process from "node:process";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { KeylessError } from "../../src/errors/errors.ts";
import { quoted } from "../../src/errors/printable.ts";
import { logIn as logInTo } from "../../src/hsm/login.ts";
import type { ModuleChannel } from "../../src/hsm/module_channel.ts";
import { readPin } from "../../src/hsm/pin.ts";
import { RefusedPins } from "../../src/hsm/refused_pins.ts";
import type { TokenSlot } from "../../src/hsm/select_token.ts";
import { TOKEN_FLAGS } from "../../src/hsm/token_flags.ts";
import type { Pkcs11Uri } from "../../src/hsm/uri.ts";
import { askSecret, canAsk } from "../ask_secret.ts";
import { PIN_VARIABLE } from "./typed_uri.ts";

/** A PIN is never a flag: every user of a machine can read those. */
export interface PinFlags {
  readonly pinFile?: string;
  readonly useLastTry?: true;
}

export function addPinOptions(command: CommandUnknownOpts): void {
  command
    .option("--pin-file <file>", "the user PIN is its first line")
    .option("--use-last-try", "try the PIN even where a wrong one would lock the token");
  command.addHelpText(
    "after",
    `\nThe PIN:\n  --pin-file, else the variable ${PIN_VARIABLE}, else pin-source of the\n` +
      "  URI; else a terminal is asked. It is tried once.",
  );
}

/**
 * Logs in to a token, with the PIN that is given, or that somebody types. One that needs no login is
 * left as it is where there is no PIN.
 *
 * @param warnings takes a line where a few tries are left, or others may read the file of the PIN
 * @throws KeylessError "HSM_PIN", "FILE_READ", "HSM_TOKEN", "HSM_FAILED"
 */
export async function logIn(
  channel: ModuleChannel,
  slot: TokenSlot,
  uri: Pkcs11Uri,
  flags: PinFlags,
  warnings: string[],
): Promise<void> {
  const { token: { label, flags: state } } = slot;
  const name = `the token ${quoted(label)}`;
  const isFinal = (state & TOKEN_FLAGS.USER_PIN_FINAL_TRY) !== 0;
  if (isFinal && !flags.useLastTry) {
    throw new KeylessError(
      "HSM_PIN",
      `${name} has one try for its PIN left, and a wrong one would lock it; add --use-last-try if ` +
        "you are sure of the PIN",
    );
  }
  if ((state & TOKEN_FLAGS.USER_PIN_COUNT_LOW) !== 0) {
    warnings.push(`${name} was given a wrong PIN before: few tries are left`);
  }
  const pin = givenPin(uri, flags, warnings) ?? await typedPin(slot);
  try {
    await logInTo(channel, slot, pin, new RefusedPins(), flags.useLastTry === true);
  } catch (thrown) {
    throw await withTriesLeft(channel, slot.slotId, thrown);
  }
}

function givenPin(uri: Pkcs11Uri, flags: PinFlags, warnings: string[]): Uint8Array | undefined {
  const { pinFile } = flags;
  const onWarning = (message: string) => warnings.push(message);
  if (pinFile !== undefined) {
    return readPin({ "pin-source": { from: "file", path: pinFile }, vendor: [] }, onWarning);
  }
  const variable = process.env[PIN_VARIABLE];
  return variable ? new TextEncoder().encode(variable) : readPin(uri, onWarning);
}

/** @returns undefined where the token does not ask for one */
async function typedPin({ token }: TokenSlot): Promise<Uint8Array | undefined> {
  const isUsable = (token.flags & TOKEN_FLAGS.USER_PIN_INITIALIZED) !== 0 &&
    (token.flags & TOKEN_FLAGS.USER_PIN_LOCKED) === 0;
  if ((token.flags & TOKEN_FLAGS.LOGIN_REQUIRED) === 0 || !isUsable) return undefined;
  const name = `the token ${quoted(token.label)}`;
  const pin = canAsk() ? await askSecret(`User PIN of ${name}: `) : new Uint8Array();
  if (pin.length > 0) return pin;
  throw new KeylessError(
    "HSM_PIN",
    `${name} wants a PIN; give it by --pin-file FILE, by the variable ${PIN_VARIABLE}, or by ` +
      "pin-source=file:/PATH in the URI",
  );
}

/** A refused PIN says how near the token is to being locked, where it tells. */
async function withTriesLeft(
  channel: ModuleChannel,
  slotId: number,
  thrown: unknown,
): Promise<unknown> {
  if (!(thrown instanceof KeylessError) || thrown.code !== "HSM_PIN") return thrown;
  const slots = await channel.ask("slots", undefined).catch(() => []);
  const flags = slots.find((slot) => slot.slotId === slotId)?.token?.flags ?? 0;
  const warning = TRIES.find(({ flag }) => (flags & flag) !== 0)?.warning;
  if (warning === undefined || thrown.message.includes(warning)) return thrown;
  return new KeylessError("HSM_PIN", `${thrown.message}. ${warning}`, { cause: thrown });
}

const TRIES = [
  { flag: TOKEN_FLAGS.USER_PIN_LOCKED, warning: "The token is locked now" },
  { flag: TOKEN_FLAGS.USER_PIN_FINAL_TRY, warning: "It has one try left" },
  { flag: TOKEN_FLAGS.USER_PIN_COUNT_LOW, warning: "It has few tries left" },
];
