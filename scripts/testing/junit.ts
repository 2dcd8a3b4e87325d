/** What became of one test. */
export interface TestCase {
  /** Its suites and its own name, outermost first, with " > " between them. */
  readonly name: string;
  readonly outcome: Outcome;
}

export type Outcome = "passed" | "failed" | "skipped";

/**
 * The tests of a JUnit report as `bun test` or `deno test` writes it, in the report's order.
 *
 * Bun nests suites, below one suite for the file. Deno writes flat suites; a test's name there holds its
 * suites, and each suite stands among the tests as well: it is left out here, unless it failed and no
 * test in it did, as it does when a hook throws.
 */
export function parseJunit(xml: string): readonly TestCase[] {
  const suites: string[] = [];
  const cases: { name: string; outcome: Outcome }[] = [];
  let fromDeno = false;
  for (const tag of tagsOf(xml)) {
    if (tag.name === "testsuites") {
      fromDeno ||= tag.attributes["name"] === "deno test";
    } else if (tag.name === "testsuite") {
      if (tag.closes) suites.pop();
      else if (!tag.closed) suites.push(tag.attributes["name"] ?? "");
    } else if (tag.name === "testcase" && !tag.closes) {
      const name = [...suites.slice(1), tag.attributes["name"] ?? ""].join(SEPARATOR);
      cases.push({ name, outcome: "passed" });
    } else if (!tag.closes && cases.length > 0) {
      const last = cases[cases.length - 1]!;
      if (tag.name === "failure" || tag.name === "error") last.outcome = "failed";
      if (tag.name === "skipped" && last.outcome === "passed") last.outcome = "skipped";
    }
  }
  return fromDeno ? withoutSuites(cases) : cases;
}

interface Tag {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** An end tag. */
  readonly closes: boolean;
  /** A tag that is its own end. */
  readonly closed: boolean;
}

const SEPARATOR = " > ";

/** Both runtimes escape < and > in attributes and in text, so that only tags hold them. */
function* tagsOf(xml: string): Generator<Tag> {
  for (const [, closes, name = "", attributes = "", closed] of xml.matchAll(TAG)) {
    const pairs = attributes.matchAll(ATTRIBUTE);
    yield {
      name,
      attributes: Object.fromEntries(Array.from(pairs, ([, key, text = ""]) => [key, plain(text)])),
      closes: closes === "/",
      closed: closed === "/",
    };
  }
}

const TAG = /<(\/?)([a-z]+)((?:\s+[a-z]+="[^"]*")*)\s*(\/?)>/g;
const ATTRIBUTE = /([a-z]+)="([^"]*)"/g;

function plain(text: string): string {
  return text.replaceAll(/&(?:#(\d+)|([a-z]+));/g, (whole, code, name) => {
    if (code !== undefined) return String.fromCodePoint(Number(code));
    return ENTITIES[name] ?? whole;
  });
}

const ENTITIES: Readonly<Record<string, string>> = {
  lt: "<",
  gt: ">",
  amp: "&",
  quot: '"',
  apos: "'",
};

function withoutSuites(cases: readonly TestCase[]): readonly TestCase[] {
  return cases.filter(({ name, outcome }) => {
    const inside = cases.filter((other) => other.name.startsWith(name + SEPARATOR));
    if (inside.length === 0) return true;
    return outcome === "failed" && inside.every((other) => other.outcome !== "failed");
  });
}
