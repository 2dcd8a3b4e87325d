/** One import or re-export of a module. */
export interface Import {
  readonly specifier: string;
  /** Nothing of it is left when types are erased. */
  readonly typesOnly: boolean;
}

/**
 * What a formatted TypeScript source imports: by `import` and `export … from` at the start of a line,
 * by a call of `import`, and as the file of a worker.
 */
export function importsOf(source: string): readonly Import[] {
  const statements = Array.from(source.matchAll(STATEMENT), (match) => {
    const [, type, clause = "", specifier = ""] = match;
    return { specifier, typesOnly: type !== undefined || EVERY_NAME_IS_TYPE.test(clause) };
  });
  const calls = Array.from(source.matchAll(CALL), ([, imported, url]) => ({
    specifier: imported ?? url ?? "",
    typesOnly: false,
  }));
  return [...statements, ...calls];
}

const STATEMENT =
  /^(?:import|export)\s+(?:(type)\s+)?(?:(\{[\w\s,$]*\}|[\w\s,*${}]*?)\s*from\s+)?"([^"]+)"/gm;
const CALL =
  /\bimport\(\s*"([^"]+)"|\bnew Worker\(\s*new URL\(\s*"(\.[^"]+)"\s*,\s*import\.meta\.url/g;
const EVERY_NAME_IS_TYPE = /^\{(\s*type\s+[\w$]+(\s+as\s+[\w$]+)?\s*,?)+\s*\}$/;
