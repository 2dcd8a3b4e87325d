import { KeylessError, messageOf } from "../errors/errors.ts";
import { quoted } from "../errors/printable.ts";
import type { ModuleChannel } from "./module_channel.ts";
import type { HandedPin, RefusedPins } from "./refused_pins.ts";
import type { TokenSlot } from "./select_token.ts";

/**
 * Logs in to a token, once for all sessions of the module's process. From the moment that a PIN is
 * handed over until the token has taken it, it counts as refused: whatever a token answers to a wrong
 * one, and whether or not the process lives to tell, it is not tried again.
 *
 * @param pin overwritten; undefined where there is none
 * @param refused PINs that are not tried again
 * @param mayUseLastTry whether the PIN is tried where a wrong one would lock the token
 * @throws KeylessError "HSM_PIN" where there is none to try, or it is not to be tried again;
 *   "HSM_TOKEN", "HSM_FAILED"
 */
export async function logIn(
  channel: ModuleChannel,
  slot: TokenSlot,
  pin: Uint8Array | undefined,
  refused: RefusedPins,
  mayUseLastTry = false,
): Promise<void> {
  const { slotId, token: { label } } = slot;
  try {
    if (pin !== undefined && refused.has(nameOf(slot), pin)) throw pinError(label, REFUSED_BEFORE);
    await channel.ask("openToken", { slotId, hasPin: pin !== undefined, mayUseLastTry });
    if (pin !== undefined) await tryPin(channel, slot, pin, refused);
  } finally {
    pin?.fill(0);
  }
}

async function tryPin(
  channel: ModuleChannel,
  slot: TokenSlot,
  pin: Uint8Array,
  refused: RefusedPins,
): Promise<void> {
  const { slotId, token: { label } } = slot;
  let handed: HandedPin | undefined;
  let failure: string | undefined;
  channel.hide(pin);
  try {
    failure = await channel.ask("login", { slotId, pin }, () => {
      // another module, or another of its slots, may have tried it meanwhile
      if (refused.has(nameOf(slot), pin)) throw pinError(label, REFUSED_BEFORE);
      handed = refused.handOver(nameOf(slot), pin);
    });
  } catch (thrown) {
    if (handed === undefined) throw thrown; // the process was gone before
    throw pinError(label, notTaken(messageOf(thrown)));
  }
  if (failure === undefined) return handed!.taken();
  if (failure.startsWith("CKR_PIN_")) {
    handed!.refused();
    throw pinError(label, `refused the PIN, which is not tried again: ${failure}`);
  }
  if (!NOT_LOOKED_AT.has(failure)) throw pinError(label, notTaken(failure));
  handed!.notLookedAt();
  throw new KeylessError(
    "HSM_FAILED",
    `the login to the token ${quoted(label)} failed: ${failure}`,
  );
}

/** The serial number, and the label: a card may have a slot for each of its PINs. */
function nameOf({ token: { serial, label } }: TokenSlot): string {
  return `${serial}\n${label}`;
}

function pinError(label: string, why: string): KeylessError {
  return new KeylessError("HSM_PIN", `the token ${quoted(label)} ${why}`);
}

function notTaken(why: string): string {
  return `may have refused the PIN: ${why}. Unless it was right before in this run, it is not tried ` +
    "again before this program is started anew: be sure of it, for tokens lock themselves";
}

const REFUSED_BEFORE = "has refused this PIN before, or may have; it is not tried again, so that " +
  "the token is not locked. Be sure of it, and start again";

/** After these the token has not compared the PIN. Of all others that is not known. */
const NOT_LOOKED_AT: ReadonlySet<string> = new Set([
  "CKR_CRYPTOKI_NOT_INITIALIZED",
  "CKR_FUNCTION_NOT_SUPPORTED",
  "CKR_SESSION_HANDLE_INVALID",
  "CKR_SLOT_ID_INVALID",
  "CKR_TOKEN_NOT_PRESENT",
  "CKR_USER_ANOTHER_ALREADY_LOGGED_IN",
  "CKR_USER_PIN_NOT_INITIALIZED",
]);
