import { KeylessError } from "../errors/errors.ts";
import { printable } from "../errors/printable.ts";
import { SETTING_KEYS, type SettingKey, type Settings } from "./settings.ts";

/**
 * Refuses to go on where the server has no certificate and is configured to request one, which this
 * version cannot do. Enrolment settings beside a certificate that exists are in order: they stay in
 * the file after the enrolment.
 *
 * @param exists whether a path names a file
 * @throws KeylessError "CONFIG_NOT_YET"
 */
export function refuseEnrolment(settings: Settings, exists: (path: string) => boolean): void {
  const missing = [settings.auth_cert, settings.auth_key].filter((path) => !exists(path));
  const given = SETTING_KEYS.filter((key) => ENROLMENT_KEYS.has(key) && settings[key] !== "");
  if (missing.length === 0 || given.length === 0) return;
  throw new KeylessError(
    "CONFIG_NOT_YET",
    `there is no ${missing.map((path) => printable(path)).join(" and no ")}, and requesting a ` +
      `certificate (${given.join(", ")}) is not in this version yet; make a key and its request ` +
      "with openssl, have the request signed in the dashboard of your zone, and name both files " +
      "by auth_cert and auth_key",
  );
}

const ENROLMENT_KEYS: ReadonlySet<SettingKey> = new Set([
  "hostname",
  "zone_id",
  "origin_ca_api_key",
]);
