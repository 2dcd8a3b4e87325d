import { KeylessError } from "../errors/errors.ts";
import { quoted } from "../errors/printable.ts";
import type { ModuleInfo, SlotInfo, TokenInfo } from "./module.ts";
import { TOKEN_FLAGS } from "./token_flags.ts";
import { formatUri, type Pkcs11Uri } from "./uri.ts";

/** A slot that has a token. */
export interface TokenSlot extends SlotInfo {
  readonly token: TokenInfo;
}

/**
 * The one token that fits all attributes of a URI that speak of tokens, slots and the library.
 *
 * @throws KeylessError "HSM_TOKEN" where none fits, or several do; it names those that are there
 */
export function selectToken(
  uri: Pkcs11Uri,
  slots: readonly SlotInfo[],
  module: ModuleInfo,
): TokenSlot {
  const unknown = uri.vendor.find(({ part }) => part === "path");
  if (unknown !== undefined) {
    throw new KeylessError(
      "HSM_TOKEN",
      `which token fits ${unknown.name} is not known to this program; leave it out of the PKCS#11 URI`,
    );
  }
  const present = slots.filter((slot): slot is TokenSlot => slot.token !== undefined);
  const all = present.filter((slot) => fits(uri, slot, module));
  const initialised = all.filter(({ token }) =>
    (token.flags & TOKEN_FLAGS.TOKEN_INITIALIZED) !== 0
  );
  const fitting = initialised.length > 0 ? initialised : all; // else the login says what is wrong
  const [only] = fitting;
  if (only !== undefined && fitting.length === 1) return only;
  const wanted = formatUri(tokenPart(uri));
  if (fitting.length > 1) {
    throw new KeylessError(
      "HSM_TOKEN",
      `${fitting.length} tokens fit ${wanted}: ${listed(fitting)}; add serial= to name one`,
    );
  }
  throw new KeylessError(
    "HSM_TOKEN",
    present.length === 0
      ? `no token fits ${wanted}: the module has no slot with a token in it`
      : `no token fits ${wanted}; there is ${listed(present)}`,
  );
}

/** The URI of a token: enough to tell it from any other. */
export function uriOfToken({ label, serial }: TokenInfo): Pkcs11Uri {
  return { token: label, serial, vendor: [] };
}

function fits(
  uri: Pkcs11Uri,
  { slotId, description, manufacturer, token }: TokenSlot,
  module: ModuleInfo,
): boolean {
  const { major, minor } = module.version;
  const version = uri["library-version"];
  return [
    [uri.token, token.label],
    [uri.manufacturer, token.manufacturer],
    [uri.model, token.model],
    [uri.serial, token.serial],
    [uri["slot-id"], slotId],
    [uri["slot-description"], description],
    [uri["slot-manufacturer"], manufacturer],
    [uri["library-manufacturer"], module.manufacturer],
    [uri["library-description"], module.description],
    [version && `${version.major}.${version.minor}`, `${major}.${minor}`],
  ].every(([wanted, found]) => wanted === undefined || wanted === found);
}

/** What a URI says of tokens, without what it says of objects, modules and PINs. */
export function tokenPart(uri: Pkcs11Uri): Pkcs11Uri {
  const kept = Object.entries(uri).filter(([name]) => OF_TOKENS.test(name));
  return { ...Object.fromEntries(kept), vendor: [] };
}

function listed(slots: readonly TokenSlot[]): string {
  const shown = slots.slice(0, MAX_LISTED).map(({ token }) => {
    return `${quoted(token.label)} (serial ${quoted(token.serial)})`;
  });
  const more = slots.length - shown.length;
  return shown.join(", ") + (more > 0 ? ` and ${more} more` : "");
}

const OF_TOKENS = /^(?:token|manufacturer|model|serial|slot-.*|library-.*)$/;
const MAX_LISTED = 10;
