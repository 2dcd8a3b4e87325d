import { KeylessError } from "../../src/errors/errors.ts";

/**
 * What `--format` says, or `--json`, which is the same as `--format json`; undefined where neither is
 * given.
 *
 * @throws KeylessError "USAGE" where they contradict each other
 */
export function formatOf<Format extends string>(
  { format, json }: { readonly format?: Format | undefined; readonly json?: boolean | undefined },
): Format | "json" | undefined {
  if (!json) return format;
  if (format === undefined || format === "json") return "json";
  throw new KeylessError("USAGE", `--json contradicts --format ${format}; leave one of them out`);
}
