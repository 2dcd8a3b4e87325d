import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type LoadedSettings, resolveSettings } from "../../src/config/load.ts";
import { ConfigError } from "../../src/config/problem.ts";
import { SETTING_KEYS } from "../../src/config/settings.ts";
import { KeylessError } from "../../src/errors/errors.ts";

/** Text, and the lines that it is refused with; each begins with file:line:column. */
const REFUSED: readonly (readonly [what: string, text: string, lines: readonly RegExp[]])[] = [
  ["a bad value", "\nport: 70000\n", [/^f:2:7: port is "70000"; give a port from 1 to 65535/]],
  ["a bad quoted value", "bind: 'a b'\n", [/^f:1:7: bind is "a b"; give an IP address/]],
  ["a bad value behind an alias", "hostname: &x y z\nport: *x\n", [/^f:2:7: port is "y z"; give/]],
  ["a list for a single value", "port:\n  - 1\n", [/^f:2:3: port is a list; give a port/]],
  ["a map for a single value", "pid_file: {a: b}", [/^f:1:11: pid_file is a map; give a text/]],
  ["an unknown key", "port: 1\nprot: 1\n", [/^f:2:1: "prot" is no setting; did you mean port\?$/]],
  [
    "an unknown key that is like no other",
    "  colour: blue",
    [/^f:1:3: "colour" is no setting; `keyless config show` lists the known ones$/],
  ],
  ["a key of Object.prototype", "__proto__: 1\nconstructor: 2", [
    /^f:1:1: "__proto__" is no setting/,
    /^f:2:1: "constructor" is no setting/,
  ]],
  ["a key that is no name", "? [a, b]\n: c", [/^f:1:3: "" is no setting/]],
  ["a key twice", "port: 1\nbind: '::'\nport: 2", [
    /^f:3:1: port stands in line 1 already; keep one$/,
  ]],
  ["a key twice in other case", "port: 1\nPort: 2", [/^f:2:1: port stands in line 1 already/]],
  ["a flag's setting", "private_key_dirs: /a", [
    /^f:1:1: private_key_dirs is a flag alone; give --private-key-dirs$/,
  ]],
  ["the passphrase", "passphrase: horse", [
    /^f:1:1: passphrase is read from the environment alone; set KEYLESS_PASSPHRASE$/,
  ]],
  ["two documents", "port: 1\n---\nport: 2\n", [
    /^f:2:1: a second document begins here; keep one$/,
  ]],
  ["a list", "- port\n", [/^f:1:1: the file holds no settings; write one `key: value` a line$/]],
  ["a bare text", "port 2407\n", [/^f:1:1: the file holds no settings/]],
  ["a tab as indentation", "private_key_stores:\n\t- dir: /a", [/^f:2:1: no YAML: Tabs are not/]],
  ["an open quote", 'bind: "x\nport: 1\n', [/^f:3:1: no YAML: Missing closing "quote/]],
  ["a value with a colon", "bind: ::\n", [/^f:1:7: no YAML: a second `:` in this line; put/]],
  ["an open list in others", "port: [[[[[1", [
    /^f:1:13: no YAML: Flow sequence in block collection must be sufficiently indented/,
  ]],
  ["a brace too many", "port: 1\n}\n", [/^f:2:1: no YAML: something stands here/]],
  ["an alias without its anchor", "private_key_stores: *x", [
    /^f:1:21: an alias \(\*\) without its anchor/,
  ]],
  [
    "a time to check at",
    "current_time: 2026-01-31T12:00:00+01:00",
    [/^f:1:15: current_time is set, but TLS checks certificates by the system's clock/],
  ],
  ["nothing to listen on", "port: off", [/^f:1:7: port is off and unix_socket is not set/]],
  ["everything at once", "port: x\nloglevel: 9\nnope: 1\nprivate_key_stores: 7\n", [
    /^2?f:1:7: port is "x"; give/,
    /^f:2:11: loglevel is "9"; give 0 to 5/,
    /^f:3:1: "nope" is no setting/,
    /^f:4:21: private_key_stores: this is a single value; give a list of entries/,
  ]],
];

describe("a file with", () => {
  for (const [what, text, lines] of REFUSED) {
    test(`${what} is refused, with its place and the mend`, () => {
      const problems = problemsOf(text);
      assert.equal(problems.length, lines.length, problems.join("\n"));
      lines.forEach((line, index) => assert.match(problems[index] ?? "", line));
    });
  }

  const STORES: readonly (readonly [entry: string, at: string, message: RegExp])[] = [
    ["dir: /a, file: /b", "f:2:5", /this entry has 2 keys, not one; give a list/],
    ["path: /a", "f:2:5", /this entry has none of dir, file and uri/],
    ["dir: ", "f:2:13", /dir: names nothing/],
    ["file: ''", "f:2:13", /file: names nothing/],
    ["dir: [/a]", "f:2:12", /dir: names nothing/],
    ["uri: pkcs11:token=t?pin-valu=1234", "f:2:5", /misspelt; write pin-value/],
    ["uri: https://1234.example", "f:2:5", /does not begin with pkcs11:/],
  ];

  for (const [entry, at, message] of STORES) {
    test(`the key store {${entry}} is refused, with its place`, () => {
      const [problem = ""] = problemsOf(`private_key_stores:\n  - { ${entry} }`);
      assert.match(problem, message);
      assert.ok(problem.startsWith(`${at}: private_key_stores: `), problem);
      assert.ok(!problem.includes("1234"), "a PIN is never shown");
    });
  }

  test("a plain text as key store is refused, with its place", () => {
    assert.match(problemsOf("private_key_stores:\n  - /a")[0] ?? "", /^f:2:5: .*neither dir/);
  });

  test("a PKCS#11 URI that cannot be read is of another code than an entry that cannot", () => {
    assert.throws(() => load("private_key_stores: [{uri: 'pkcs11:x'}]"), { code: "HSM_URI" });
    assert.throws(() => load("private_key_stores: [{ury: 'pkcs11:x'}]"), { code: "CONFIG_VALUE" });
  });

  test("a PKCS#11 URI is read", () => {
    const { settings } = load("private_key_stores: [{uri: 'pkcs11:token=a;id=%01?wait=2s'}]");
    const [store] = settings.private_key_stores;
    assert.ok(store !== undefined && "uri" in store);
    assert.equal(store.uri.token, "a");
    assert.equal(store.uri.wait, 2_000);
  });

  test("a hundred aliases is read, and one with more is refused", () => {
    const textWith = (count: number) =>
      "hostname: &x y\nprivate_key_stores:\n" + "  - dir: *x\n".repeat(count);
    assert.equal(load(textWith(100)).settings.private_key_stores.length, 100);
    assert.match(problemsOf(textWith(101))[0] ?? "", /^f:103:10: more than 100 aliases/);
  });

  test("aliases of aliases is refused before they are multiplied", () => {
    const lists = Array.from({ length: 9 }, (_, n) => `k${n}: &a${n} [${`*a${n - 1},`.repeat(9)}]`);
    const text = ["k: &a-1 [x]", ...lists, "private_key_stores: *a8"].join("\n").replace(
      "*a0-1",
      "",
    );
    assert.ok(problemsOf(text).some((line) => line.includes("private_key_stores")));
  });

  test("many mistakes names the first twenty and counts the others", () => {
    const text = Array.from({ length: 30 }, (_, n) => `x${n}: 1`).join("\n");
    assert.throws(() => load(text), (error: Error) => {
      assert.equal(error.message.split("\n").length, 22);
      assert.match(error.message, /^30 problems in the configuration:\n/);
      assert.match(error.message, /\n {2}and 10 more$/);
      return error instanceof ConfigError && error.problems.length === 30;
    });
  });

  test("very many keys, or brackets, is judged all the same", { timeout: 30_000 }, () => {
    const keys = Array.from({ length: 20_000 }, (_, n) => `k${n}:`).join("\n");
    assert.equal(problemsOf(keys).length, 20_000);
    assert.ok(problemsOf("[".repeat(20_000)).length > 0);
  });
});

describe("a file that is right", () => {
  test("gives its values, each with its line", () => {
    const { settings, origins, warnings, configFile } = load(
      "# a comment\nport: 1234\nprivate_key_stores:\n  - dir: /a\n  - file: /b.key\n",
    );
    assert.equal(settings.port, 1_234);
    assert.deepEqual(settings.private_key_stores, [{ dir: "/a" }, { file: "/b.key" }]);
    assert.equal(origins.port, "file f:2");
    assert.equal(origins.private_key_stores, "file f:4");
    assert.deepEqual(warnings, []);
    assert.equal(configFile, "f");
  });

  for (const text of ["", "\n", "# nothing\n", "---\n", "---\n...\n", "\ufeff# mark\n", "~"]) {
    test(`may be empty: ${JSON.stringify(text)}`, () => {
      assert.equal(load(text).settings.port, 2_407);
    });
  }

  test("may have keys in upper case, quotes, flow style, carriage returns, anchors", () => {
    const { settings } = load('{"PORT": "7", bind: &b "::1",\r\n hostname: *b}');
    assert.equal(settings.port, 7);
    assert.equal(settings.hostname, "::1");
  });

  test("keeps texts that look like numbers as they are written", () => {
    const { settings } = load("zone_id: 00123456789012345678901234567890\nhostname: 1e3\n");
    assert.equal(settings.zone_id, "00123456789012345678901234567890");
    assert.equal(settings.hostname, "1e3");
  });

  test("may hold the settings of an enrolment that is done", () => {
    const { settings, warnings } = load(
      "hostname: a.example\nzone_id: z\norigin_ca_api_key: v1.0-k",
    );
    assert.equal(settings.hostname, "a.example");
    assert.deepEqual(warnings, []);
  });
});

describe("where a server starts", () => {
  test("an unknown key is a warning that names the nearest one", () => {
    const { settings, warnings } = load("prot: 1\nport: 2", "warn");
    assert.equal(settings.port, 2);
    assert.deepEqual(warnings, ['f:1:1: "prot" is no setting; did you mean port? (ignored)']);
  });

  test("a passphrase in the file is refused all the same", () => {
    assert.throws(() => load("passphrase: x", "warn"), { code: "CONFIG_VALUE" });
  });
});

describe("any text as a file", () => {
  const line = fc.tuple(
    fc.constantFrom(...SETTING_KEYS, "- dir", "x", "&a", "*a", "---", "? ", "{", "["),
    fc.constantFrom(":", ": ", ":\n  - ", " "),
    fc.oneof(
      fc.string({ unit: "grapheme" }),
      fc.constantFrom("*a", "&a b", "|", ">", "1", "off", "'"),
    ),
  ).map((parts) => parts.join(""));
  const texts = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(line, { maxLength: 12 }).map((lines) => lines.join("\n")),
  );

  for (const unknownKeys of ["warn", "refuse"] as const) {
    test(`gives settings or its own error, where unknown keys ${unknownKeys}`, () => {
      fc.assert(fc.property(texts, (text) => {
        try {
          const { settings } = load(text, unknownKeys);
          return SETTING_KEYS.every((key) => settings[key] !== undefined);
        } catch (error) {
          return error instanceof KeylessError && error.code.startsWith("CONFIG_");
        }
      }));
    });
  }

  test("is never shown with control characters", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
      const loaded = problemsOf(`port: ${JSON.stringify(`\u001b${text}`)}\n${text}: 1`, false);
      // deno-lint-ignore no-control-regex
      return loaded.every((each) => !/[\u0000-\u001f\u007f-\u009f]/.test(each));
    }));
  });
});

function load(text: string, unknownKeys: "refuse" | "warn" = "refuse"): LoadedSettings {
  return resolveSettings({ flags: {}, env: {}, file: { path: "f", text }, unknownKeys });
}

function problemsOf(text: string, mustFail = true): string[] {
  try {
    load(text);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems.map(({ place, message }) => `${place}: ${message}`);
  }
  assert.ok(!mustFail, "it was accepted");
  return [];
}

describe("lists and maps within each other", () => {
  const shapes: Readonly<Record<string, (levels: number) => string>> = {
    "in brackets": (levels) => `port: ${"[".repeat(levels)}${"]".repeat(levels)}`,
    "in brackets that stay open": (levels) => `port: ${"[".repeat(levels)}`,
    "by hyphens": (levels) => `port:\n  ${"- ".repeat(levels)}x`,
    "by question marks": (levels) => `port:\n  ${"? ".repeat(levels)}x`,
    "by indentation": (levels) =>
      `port:\n${Array.from({ length: levels }, (_, at) => `${" ".repeat(at + 1)}a:`).join("\n")}`,
  };
  const tooDeep = /^f:\d+:\d+: more than 16 lists and maps within each other; no setting needs it$/;

  for (const [how, nested] of Object.entries(shapes)) {
    test(`${how} may be 16 deep, with the map around them, and no deeper`, () => {
      const [atLimit = "", ...more] = problemsOf(nested(15));
      assert.doesNotMatch(atLimit, tooDeep);
      assert.deepEqual(more, []);
      for (const levels of [16, 50_000]) {
        const problems = problemsOf(nested(levels > 16 && how === "by indentation" ? 400 : levels));
        assert.equal(problems.length, 1);
        assert.match(problems[0] ?? "", tooDeep);
      }
    });
  }

  test("of 5,000 levels are refused at once", () => {
    const start = performance.now();
    assert.match(problemsOf(shapes["in brackets"]!(5_000))[0] ?? "", tooDeep);
    assert.ok(performance.now() - start < 1_000, "in less than a second");
  });
});
