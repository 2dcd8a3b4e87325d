/**
 * Text from certificates, packets, files and command lines made safe to show: control characters
 * (C0, DEL, C1), line and paragraph separators, and the marks that reorder text are written as
 * `\u{…}`, so that nobody's name can move a cursor, forge a log line or turn text around. Where that
 * is more than `maxLength` UTF-16 units, it is cut, and says so.
 */
export function printable(text: string, maxLength = MAX_PRINTABLE_LENGTH): string {
  const shown = text.slice(0, maxLength + 1).toWellFormed().replace(UNSAFE_CHARACTERS, escape);
  return shown.length > maxLength ? `${shown.slice(0, maxLength - 1).toWellFormed()}…` : shown;
}

/** The text made printable, in double quotes. */
export function quoted(text: string): string {
  return `"${printable(text)}"`;
}

export const MAX_PRINTABLE_LENGTH = 1_024;

/** What must not reach a terminal or a log line as it is. */
export const UNSAFE_CHARACTERS =
  // deno-lint-ignore no-control-regex
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

function escape(character: string): string {
  return `\\u{${character.charCodeAt(0).toString(16)}}`;
}
