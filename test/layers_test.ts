import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import packageJson from "../package.json" with { type: "json" };
import { importsOf } from "./support/imports.ts";
import { type Layer, type Packages, type Sources, violations } from "./support/layers.ts";

/**
 * What each folder of src may import: only folders that stand above it, and bytes and errors, which
 * everybody may. cli may import all of src; nothing but tests imports cli.
 */
const LAYERS: readonly Layer[] = [
  { folder: "errors", imports: [] },
  { folder: "bytes", imports: ["errors"] },
  { folder: "protocol", imports: [] },
  { folder: "text", imports: [] },
  { folder: "runtime", imports: [] },
  { folder: "crypto", imports: ["runtime"] },
  { folder: "pki", imports: ["crypto"] },
  { folder: "telemetry", imports: ["pki", "protocol"] },
  { folder: "threads", imports: ["runtime", "crypto"] },
  { folder: "keystore", imports: ["crypto", "pki"], types: ["protocol"] },
  { folder: "hsm", imports: ["text", "runtime", "crypto", "threads", "keystore"] },
  { folder: "client", imports: ["protocol"], types: ["keystore"] },
  {
    folder: "server",
    imports: [
      "protocol",
      "runtime",
      "crypto",
      "pki",
      "telemetry",
      "threads",
      "keystore",
      "hsm",
      "client",
    ],
  },
  { folder: "status", imports: ["protocol", "runtime", "telemetry", "server"] },
  { folder: "config", imports: ["text", "crypto", "hsm", "status"] },
  { folder: "bench", imports: ["text", "protocol", "crypto", "client", "config"] },
  { folder: "mod.ts", imports: ["crypto", "protocol", "client"], types: ["keystore"] },
];

const PACKAGES: Packages = {
  dependencies: Object.keys({
    ...packageJson.dependencies,
    ...packageJson.optionalDependencies,
  }),
  devDependencies: Object.keys(packageJson.devDependencies),
};

const ROOT = fileURLToPath(new URL("..", import.meta.url));

describe("layers", () => {
  const sources = readSources(["src", "cli", "scripts", "test"]);

  test("no file imports what its folder may not", () => {
    assert.ok(sources.size > 0);
    assert.deepEqual(violations(sources, LAYERS, PACKAGES), []);
  });

  test("every folder of src has a row in the table, and every row a folder", () => {
    const folders = readdirSync(join(ROOT, "src"));
    assert.deepEqual(LAYERS.map((layer) => layer.folder).toSorted(), folders.toSorted());
  });

  test("folders import only folders that stand above them: no circle", () => {
    const above: string[] = [];
    for (const { folder, imports, types = [] } of LAYERS) {
      assert.deepEqual([...imports, ...types].filter((name) => !above.includes(name)), [], folder);
      above.push(folder);
    }
  });

  test("every dependency is pinned to one version", () => {
    const { dependencies, optionalDependencies, devDependencies } = packageJson;
    const pins = { ...dependencies, ...optionalDependencies, ...devDependencies };
    for (const [name, version] of Object.entries(pins)) {
      assert.match(version, /^\d+\.\d+\.\d+$/, name);
    }
  });
});

describe("the rule of layers finds", () => {
  const found: readonly [what: string, path: string, source: string, message: string][] = [
    [
      "a folder that imports one above itself",
      "src/protocol/x.ts",
      'import { log } from "../telemetry/log.ts";',
      "imports ../telemetry/log.ts: protocol may not import telemetry",
    ],
    [
      "an import spread over lines",
      "src/errors/x.ts",
      'import {\n  toHex,\n  fromHex,\n} from "../bytes/hex.ts";',
      "imports ../bytes/hex.ts: errors may not import bytes",
    ],
    [
      "a re-export",
      "src/crypto/x.ts",
      'export * from "../pki/pem.ts";',
      "imports ../pki/pem.ts: crypto may not import pki",
    ],
    [
      "an import for its effect",
      "src/crypto/x.ts",
      'import "../pki/pem.ts";',
      "imports ../pki/pem.ts: crypto may not import pki",
    ],
    [
      "a dynamic import",
      "src/pki/deep/x.ts",
      'const log = await import("../../telemetry/log.ts");',
      "imports ../../telemetry/log.ts: pki may not import telemetry",
    ],
    [
      "a worker's file",
      "src/pki/x.ts",
      'new Worker(new URL("../server/worker.ts", import.meta.url));',
      "imports ../server/worker.ts: pki may not import server",
    ],
    [
      "a value where types alone are allowed",
      "src/keystore/x.ts",
      'import { type Opcode, OPCODES } from "../protocol/opcodes.ts";',
      "imports ../protocol/opcodes.ts: keystore may import types alone of protocol",
    ],
    [
      "a folder without a row",
      "src/novel/x.ts",
      'import { log } from "../telemetry/log.ts";',
      "imports ../telemetry/log.ts: novel has no row in the table of layers",
    ],
    [
      "an import of cli",
      "scripts/x.ts",
      'import { main } from "../cli/main.ts";',
      "imports ../cli/main.ts: nothing imports cli",
    ],
    [
      "a product that needs its tests",
      "src/pki/x.ts",
      'import { x } from "../../test/support/x.ts";',
      "imports ../../test/support/x.ts: it is no part of the product",
    ],
    [
      "a command that needs a script",
      "cli/x.ts",
      'import { x } from "../scripts/x.ts";',
      "imports ../scripts/x.ts: it is no part of the product",
    ],
    [
      "a package that nobody declared",
      "scripts/x.ts",
      'import leftPad from "left-pad/sub";',
      "imports left-pad/sub: package.json does not name it",
    ],
    [
      "a development package in the product",
      "cli/x.ts",
      'import fc from "fast-check";',
      "imports fast-check: a dependency for development alone",
    ],
    [
      "a runtime's own API",
      "src/server/x.ts",
      "const listener = Deno.listen({ port: 0 });",
      "mentions Deno.listen: only src/runtime may know which runtime it runs on",
    ],
    [
      "a question for the runtime",
      "cli/x.ts",
      'if ("Bun" in globalThis) return;',
      'mentions "Bun" in: only src/runtime may know which runtime it runs on',
    ],
  ];
  for (const [what, path, source, message] of found) {
    test(what, () => {
      const sources = new Map([[path, source]]);
      assert.deepEqual(violations(sources, LAYERS, PACKAGES), [`${path}: ${message}`]);
    });
  }
});

test("the rule of layers lets what is allowed pass", () => {
  const sources = new Map([
    ["src/keystore/x.ts", 'import { type A, type B as C } from "../protocol/opcodes.ts";'],
    ["src/keystore/y.ts", 'import type { Opcode } from "../protocol/opcodes.ts";'],
    ["src/keystore/z.ts", 'export { y } from "./y.ts";\nimport { toHex } from "../bytes/hex.ts";'],
    ["src/client/x.ts", 'import product from "../../package.json" with { type: "json" };'],
    ["src/runtime/x.ts", 'const ffi = await import("bun:ffi"); Deno.dlopen("x", {});'],
    ["src/server/x.ts", "/** As on Bun and on Deno. The rest is alike. */"],
    ["cli/x.ts", 'import { z } from "zod";\nimport { Framer } from "../src/protocol/framer.ts";'],
    [
      "test/cli/x_test.ts",
      'import { main } from "../../cli/main.ts";\nimport fc from "fast-check";',
    ],
  ]);
  assert.deepEqual(violations(sources, LAYERS, PACKAGES), []);
});

test("importsOf takes no text of a comment or a string for an import", () => {
  const source = [
    "/**",
    ' * import { a } from "a";',
    " */",
    'export const text = "b";',
    'export function f(): string {\n  return "not from here";\n}',
    'import { c } from "c";',
  ].join("\n");
  assert.deepEqual(importsOf(source), [{ specifier: "c", typesOnly: false }]);
});

function readSources(folders: readonly string[]): Sources {
  const paths = folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
      .map((entry) => join(entry.parentPath, entry.name))
  );
  return new Map(
    paths.toSorted().map((path) => [
      relative(ROOT, path),
      readFileSync(path, "utf8"),
    ]),
  );
}
