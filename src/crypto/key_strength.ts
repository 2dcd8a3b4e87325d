import { KeylessError } from "../errors/errors.ts";
import type { LoadOptions } from "./engine.ts";
import type { PublicKeyInfo } from "./public_key.ts";

/**
 * Checks that an RSA key is of a size that is safe to use and bearable to compute with. Other kinds
 * have none that is not.
 *
 * @throws KeylessError "KEY_WEAK" below the limits, "KEY_UNSUPPORTED" above
 */
export function checkStrength(info: PublicKeyInfo, options: LoadOptions): void {
  if (info.type !== "rsa") return;
  if (info.bits < MIN_WEAK_RSA_BITS) {
    throw new KeylessError(
      "KEY_WEAK",
      `an RSA key of ${info.bits} bits is never used; make one of ${MIN_RSA_BITS} or more`,
    );
  }
  if (info.bits < MIN_RSA_BITS && options.allowWeak !== true) {
    throw new KeylessError(
      "KEY_WEAK",
      `an RSA key of ${info.bits} bits is too short to be safe; make one of ${MIN_RSA_BITS} or ` +
        "more, or give --allow-weak-keys",
    );
  }
  if (info.bits > MAX_RSA_BITS) {
    throw new KeylessError(
      "KEY_UNSUPPORTED",
      `an RSA key of ${info.bits} bits would hold a core for seconds each signature; the most is ` +
        `${MAX_RSA_BITS} bits`,
    );
  }
}

export const MIN_RSA_BITS = 2_048;
/** With `allowWeak`. */
export const MIN_WEAK_RSA_BITS = 1_024;
export const MAX_RSA_BITS = 16_384;
