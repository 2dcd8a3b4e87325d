import { Buffer } from "node:buffer";
import type { Sample } from "./carry_out.ts";
import type { KeyHandles } from "./key_handles.ts";
import { KeyListings, type KeysPart } from "./key_listing.ts";
import type { MechanismInfo, ModuleInfo, Pkcs11Module, SlotInfo } from "./module.ts";
import type { KeyTemplate, TokenKey } from "./token_keys.ts";

/** A key, and what names it to `bindKeys` as long as its token stays where it is. */
export interface FoundKey extends TokenKey {
  readonly handle: Uint8Array;
}

export interface OpenTokenCall {
  readonly slotId: number;
  /** Whether a login follows. */
  readonly hasPin: boolean;
  /** Whether it may, where a wrong PIN would lock the token. */
  readonly mayUseLastTry?: boolean | undefined;
}

/** What a module's process can be asked for, besides clients' signatures. All may throw what the module does. */
export type ModuleCalls = {
  info(asked: undefined): ModuleInfo;
  slots(asked: undefined): readonly SlotInfo[];
  mechanisms(asked: { readonly slotId: number }): readonly MechanismInfo[];
  /** Opens a session that keeps the login, where a PIN may be tried, or is not needed. */
  openToken(asked: OpenTokenCall): void;
  /**
   * After `openToken`. The PIN is tried once, and overwritten where it was tried. Gives what C_Login
   * returned, by its name; undefined where the login holds.
   */
  login(asked: { readonly slotId: number; readonly pin: Uint8Array }): string | undefined;
  /** Whether the login still holds, on the same token. */
  isOpen(asked: { readonly slotId: number; readonly serial: string }): boolean;
  logout(asked: { readonly slotId: number }): void;
  /** For `findKeys` of key_listing.ts. */
  findKeys(asked: { readonly slotId: number; readonly template: KeyTemplate }): KeysPart;
  moreKeys(asked: { readonly listing: number }): KeysPart;
  /** To try a key with, before it is bound; undefined where it makes none. */
  sign(asked: Sample & { readonly slotId: number }): Uint8Array | undefined;
  /** From here on requests for a key of this number use the handle; none without it. */
  bindKeys(asked: { readonly keys: readonly KeyBinding[] }): void;
};

export interface KeyBinding {
  readonly number: number;
  readonly handle?: Uint8Array | undefined;
}

/** The calls as answers, in the thread that has the module. */
export function answersOf(module: Pkcs11Module, handles: KeyHandles): ModuleCalls {
  const listings = new KeyListings();
  return {
    info: () => module.info(),
    slots: () => module.slots(),
    mechanisms: ({ slotId }) => module.mechanisms(slotId),
    openToken: (asked) => module.openToken(asked),
    login: ({ slotId, pin }) => {
      try {
        return module.login(slotId, pin);
      } finally {
        pin.fill(0);
      }
    },
    isOpen: ({ slotId, serial }) => module.isOpen(slotId, serial),
    logout: ({ slotId }) => module.logout(slotId),
    findKeys: ({ slotId, template }) => listings.begin(module.listKeys(slotId, template)),
    moreKeys: ({ listing }) => listings.more(listing),
    sign: ({ slotId, ...sample }) => module.sign(slotId, sample),
    bindKeys: ({ keys }) => {
      for (const { number, handle } of keys) {
        handles.set(number, handle === undefined ? undefined : Buffer.from(handle));
      }
    },
  };
}
