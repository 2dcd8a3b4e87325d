import { KeylessError } from "../errors/errors.ts";
import { LIBCRYPTO_PATHS, openLibcrypto } from "../runtime/libcrypto.ts";
import type { Engine } from "./engine.ts";
import { LibcryptoEngine } from "./libcrypto_engine.ts";
import { PortableEngine } from "./portable_engine.ts";

/** What `--crypto` takes. */
export const ENGINE_CHOICES = {
  auto: "libcrypto if it is there, else portable without EC keys",
  libcrypto: "OpenSSL 3 of the system",
  portable: "what the runtime brings; EC keys not in constant time",
} as const;

export type EngineChoice = keyof typeof ENGINE_CHOICES;

/**
 * Makes the engine that was chosen. Its `warning` belongs into the log.
 *
 * @param libcryptoPaths where OpenSSL's libcrypto is looked for
 * @throws KeylessError "ENGINE_MISSING" where libcrypto was asked for by name and cannot be used
 */
export function selectEngine(
  choice: EngineChoice,
  libcryptoPaths: readonly string[] = LIBCRYPTO_PATHS,
): Engine {
  switch (choice) {
    case "libcrypto":
      return new LibcryptoEngine(openLibcrypto(libcryptoPaths));
    case "portable":
      return new PortableEngine({
        servesEc: true,
        warning:
          "EC keys are served by the portable engine, whose timing depends on the key: who " +
          "can measure it closely may learn the key; --crypto libcrypto has no such weakness",
      });
    case "auto":
      return automatic(libcryptoPaths);
  }
}

function automatic(libcryptoPaths: readonly string[]): Engine {
  try {
    return new LibcryptoEngine(openLibcrypto(libcryptoPaths));
  } catch (error) {
    if (!(error instanceof KeylessError)) throw error;
    return new PortableEngine({
      servesEc: false,
      warning: `RSA and Ed25519 keys are served by the portable engine, EC keys are refused: ` +
        error.message,
    });
  }
}
