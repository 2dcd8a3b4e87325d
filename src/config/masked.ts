import type { Setting } from "./settings.ts";

/**
 * The text of a value as it may be shown: of a secret nothing, of a URL neither its credentials nor
 * its query.
 *
 * @param text of a value that was accepted
 */
export function maskedText(setting: Setting, text: string): string {
  if (text === "") return text;
  if (setting.secret) return MASK;
  if (!mayHoldSecret(setting, text)) return text;
  const url = new URL(text);
  if (url.username !== "" || url.password !== "") [url.username, url.password] = [MASK, ""];
  if (url.search !== "") url.search = MASK;
  return url.href;
}

/** Whether a text that was not accepted must not be quoted. */
export function mayHoldSecret({ kind, secret }: Setting, text: string): boolean {
  return secret === true || ((kind === "url" || kind === "collector") && /[@?]/.test(text));
}

const MASK = "********";
