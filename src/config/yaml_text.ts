import {
  type Alias,
  Composer,
  type CST,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  Parser,
  visit,
  type YAMLMap,
} from "yaml";

/** Both from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

export interface Fault extends Place {
  readonly message: string;
}

export interface YamlEntry extends Place {
  /** As it is written; undefined for a key that is no plain name. */
  readonly key: string | undefined;
  readonly value: YamlValue;
}

/**
 * A value and where it stands. Scalars are their text as it is written (`007` stays `007`),
 * undefined for none. What a list or map holds is read on demand, so that aliases of aliases cost
 * nothing.
 */
export type YamlValue =
  & Place
  & (
    | { readonly type: "scalar"; readonly text: string | undefined }
    | { readonly type: "list"; items(): readonly YamlValue[] }
    | { readonly type: "map"; readonly size: number; entries(): readonly YamlEntry[] }
  );

/**
 * Reads a YAML text of one document that is a map. Never throws: what is wrong comes back as
 * faults, and there are no entries then. Faults quote nothing of the text: it may hold secrets.
 */
export function readYamlMap(text: string): {
  readonly entries: readonly YamlEntry[];
  readonly faults: readonly Fault[];
} {
  const lines = new LineCounter();
  // its own check for repeated keys takes quadratic time
  const composer = new Composer({ lineCounter: lines, prettyErrors: false, uniqueKeys: false });
  const tokens = [...new Parser(lines.addNewLine).parse(text)];
  const tooDeep = findTooDeep(tokens);
  if (tooDeep !== undefined) {
    const place = placeAt(lines, tooDeep.offset);
    const message =
      `more than ${MAX_NESTING} lists and maps within each other; no setting needs it`;
    return { entries: [], faults: [{ ...place, message }] };
  }
  const [document, second] = [...composer.compose(tokens)];
  if (document === undefined) return { entries: [], faults: [] };
  const faults = parserFaults(document, lines);
  if (second !== undefined) {
    const place = placeAt(lines, second.range[0]);
    faults.push({ ...place, message: "a second document begins here; keep one" });
  }
  if (faults.length === 0) faults.push(...aliasFaults(document, lines));
  if (faults.length > 0) return { entries: [], faults };
  return readTop(new YamlReader(document, lines));
}

/** What is deep is found before it is composed, which takes a call for each level. */
function findTooDeep(documents: readonly CST.Token[]): CST.Token | undefined {
  let level = documents;
  for (let depth = 0; depth <= MAX_NESTING; depth++) level = level.flatMap(tokensIn);
  return level.find((token) => "items" in token);
}

function tokensIn(token: CST.Token): CST.Token[] {
  const items = token.type === "document" ? [token] : "items" in token ? token.items : [];
  return items.flatMap((item) => [...("key" in item ? [item.key] : []), item.value])
    .filter((each) => each !== undefined && each !== null);
}

/** Each once: what is missing at the end of several lists is told for every one of them. */
function parserFaults(document: Document.Parsed, lines: LineCounter): Fault[] {
  const faults = new Map<string, Fault>();
  for (const { pos: [offset], code, message: said } of document.errors) {
    const message = OWN_MESSAGES[code] ?? `no YAML: ${said}`;
    faults.set(`${offset} ${message}`, { ...placeAt(lines, offset), message });
  }
  return [...faults.values()];
}

function readTop(reader: YamlReader): ReturnType<typeof readYamlMap> {
  const top = reader.value(reader.document.contents);
  if (top.type === "map") return { entries: top.entries(), faults: [] };
  if (top.type === "scalar" && top.text === undefined) return { entries: [], faults: [] };
  const message = "the file holds no settings; write one `key: value` a line";
  return { entries: [], faults: [{ line: top.line, column: top.column, message }] };
}

class YamlReader {
  readonly document: Document.Parsed;
  readonly #lines: LineCounter;

  constructor(document: Document.Parsed, lines: LineCounter) {
    this.document = document;
    this.#lines = lines;
  }

  value(written: unknown): YamlValue {
    const place = this.#place(written);
    const node = isAlias(written) ? written.resolve(this.document) : written;
    if (isMap(node)) {
      return {
        ...place,
        type: "map",
        size: node.items.length,
        entries: () => this.#entries(node, place),
      };
    }
    if (isSeq(node)) {
      return { ...place, type: "list", items: () => node.items.map((item) => this.value(item)) };
    }
    return { ...place, type: "scalar", text: textOf(node) };
  }

  #entries(map: YAMLMap, around: Place): YamlEntry[] {
    return map.items.map(({ key, value }: Pair) => ({
      ...(key === null ? around : this.#place(key)),
      key: textOf(key),
      value: value === null
        ? { ...this.#place(key), type: "scalar", text: undefined }
        : this.value(value),
    }));
  }

  #place(node: unknown): Place {
    const range = (node as Node | null)?.range;
    return placeAt(this.#lines, range?.[0] ?? 0);
  }
}

function textOf(node: unknown): string | undefined {
  if (!isScalar(node) || node.value === null) return undefined;
  return typeof node.value === "string" ? node.value : node.source ?? String(node.value);
}

function placeAt(lines: LineCounter, offset: number): Place {
  const { line, col } = lines.linePos(offset);
  return { line, column: col };
}

/** At most `MAX_ALIASES`, because finding an anchor takes a walk through the document. */
function aliasFaults(document: Document.Parsed, lines: LineCounter): Fault[] {
  const aliases: Alias[] = [];
  visit(document, {
    Alias: (_, alias) => aliases.push(alias) > MAX_ALIASES ? visit.BREAK : undefined,
  });
  const faultAt = (alias: Alias | undefined, message: string) => ({
    ...placeAt(lines, alias?.range?.[0] ?? 0),
    message,
  });
  if (aliases.length > MAX_ALIASES) {
    return [faultAt(aliases.at(-1), `more than ${MAX_ALIASES} aliases; write the values out`)];
  }
  return aliases.filter((alias) => alias.resolve(document) === undefined)
    .map((alias) => faultAt(alias, "an alias (*) without its anchor (&) before it"));
}

const MAX_ALIASES = 100;

/** Stores take three levels. */
const MAX_NESTING = 16;

/** For the parser's messages that quote the text, and for some that say too little. */
const OWN_MESSAGES: Readonly<Record<string, string>> = {
  BAD_DIRECTIVE: "no YAML: a line that starts with % is a directive, and this one is unknown",
  BAD_DQ_ESCAPE: "no YAML: a \\ in double quotes starts an escape that does not exist; write \\\\",
  BAD_PROP_ORDER: "no YAML: an anchor or a tag stands in the wrong place",
  BLOCK_AS_IMPLICIT_KEY: "no YAML: a second `:` in this line; put a value that has one in quotes",
  TAG_RESOLVE_FAILED: "no YAML: a ! starts a tag that does not exist; put the value in quotes",
  UNEXPECTED_TOKEN: "no YAML: something stands here that does not belong; is a quote missing?",
};
