/**
 * Breaks a line, so that a terminal of 80 columns shows it without cutting words: after a comma
 * where there is one late enough, else at a space. A word that is longer stays whole.
 *
 * @param indent what lines after the first begin with
 */
export function wrapLine(line: string, indent = "  "): string[] {
  const lines: string[] = [];
  let rest = line;
  while (rest.length > COLUMNS) {
    const at = breakOf(rest);
    if (at < 0) break;
    lines.push(rest.slice(0, at));
    rest = `${indent}${rest.slice(at + 1)}`;
  }
  return [...lines, rest];
}

const COLUMNS = 80;

/** The space that ends a line; -1 where there is none. */
function breakOf(line: string): number {
  const comma = line.lastIndexOf(", ", COLUMNS - 1);
  if (comma > COLUMNS / 2) return comma + 1;
  const space = line.lastIndexOf(" ", COLUMNS);
  return space > line.search(/\S/) ? space : line.indexOf(" ", COLUMNS);
}
