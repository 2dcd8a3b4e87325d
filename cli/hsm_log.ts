import type { HsmObserver } from "../src/hsm/open_hsm_store.ts";
import { LineLimiter } from "../src/telemetry/line_limiter.ts";
import type { Log } from "../src/telemetry/log.ts";

/**
 * Says in the log what happens to PKCS#11 tokens. Of what a module prints, which clients may cause by
 * what they ask for, the first lines in each 10 s.
 */
export function hsmLog(log: Log): HsmObserver {
  const limiter = new LineLimiter({
    ...OUTPUT_LIMITS,
    report: ({ client: module, count }) =>
      log.info({ event: "hsm_output", module, lines: count }, "a PKCS#11 module has printed more"),
  });
  return {
    tokenAway: (token, why) =>
      log.error({ event: "hsm_away", token, why }, "a PKCS#11 token cannot be used"),
    tokenBack: (token) =>
      log.warn({ event: "hsm_back", token }, "a PKCS#11 token can be used again"),
    tokenLimited: (token, why, sessions) =>
      log.warn(
        { event: "hsm_sessions", token, why, sessions },
        "a PKCS#11 token gives fewer sessions than max-sessions",
      ),
    keyMissing: (token, key) =>
      log.error({ event: "hsm_key_missing", token, key }, "a key is not on its PKCS#11 token"),
    keyBack: (token, key) =>
      log.warn({ event: "hsm_key_back", token, key }, "a key is on its PKCS#11 token again"),
    processDied: (module, why) =>
      log.error(
        { event: "hsm_process_died", module, why },
        "the process of a PKCS#11 module has ended and is replaced",
      ),
    output: (module, line) => {
      if (!limiter.admits({ kind: "hsm_output", client: module, reason: "" })) return;
      log.info({ event: "hsm_output", module, line }, "a PKCS#11 module has printed a line");
    },
  };
}

const OUTPUT_LIMITS = { burst: 10, windowMs: 10_000, maxSources: 64 };
