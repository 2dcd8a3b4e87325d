/**
 * The states of a Nagios check and their exit codes.
 *
 * Source: Nagios Plugin Development Guidelines, "Plugin Return Codes".
 */
export const NAGIOS = { OK: 0, WARNING: 1, CRITICAL: 2, UNKNOWN: 3 } as const;

export type NagiosState = keyof typeof NAGIOS;

/** The flags that make a command a check. */
export const CHECK_FLAGS = ["--warn", "--critical"] as const;

/**
 * Whether a command line asks for a check, so that whatever stands in its way is UNKNOWN.
 *
 * @param command its words: "certs expiry"
 */
export function isCheck(command: string, args: readonly string[]): boolean {
  if (command !== "certs expiry") return false;
  const end = args.indexOf("--");
  const words = end < 0 ? args : args.slice(0, end);
  return words.some((word) => CHECK_FLAGS.some((flag) => flag === word.split("=")[0]));
}

/** Text for a line of a check's output: a bar would begin the performance data. */
export function withoutBars(text: string): string {
  return text.replaceAll("|", "\\u{7c}");
}
