/** The names of the metrics that an expression of PromQL reads. */
export function metricNames(expression: string): readonly string[] {
  const bare = expression
    .replaceAll(/\{[^}]*\}/g, " ") // matchers
    .replaceAll(/\[[^\]]*\]/g, " ") // ranges
    .replaceAll(/\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, " ");
  const names = Array.from(
    bare.matchAll(/(?<![\w:.])[a-zA-Z_:][\w:]*\b(?!\s*\()/g),
    ([name]) => name,
  );
  return [...new Set(names.filter((name) => !KEYWORDS.has(name)))];
}

const KEYWORDS = new Set(["and", "or", "unless", "offset", "bool", "group_left", "group_right"]);

/** The expression as Grafana asks it, for all servers. */
export function withoutVariables(expression: string): string {
  return expression.replaceAll("$__rate_interval", "1m").replaceAll(/\$(?:job|instance)\b/g, ".*");
}
