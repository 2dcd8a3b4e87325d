import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, describe, test } from "node:test";
import { MAX_FILE_BYTES, readConfigFile } from "../../src/config/file.ts";

describe("readConfigFile", () => {
  const directory = mkdtempSync(join(tmpdir(), "keyless-config-"));
  after(() => rmSync(directory, { recursive: true }));
  const pathOf = (name: string, content: string | Uint8Array) => {
    const path = join(directory, name);
    writeFileSync(path, content);
    return path;
  };

  test("reads the named file, and no other", () => {
    const path = pathOf("named.yaml", "port: 1");
    const other = pathOf("other.yaml", "port: 2");
    assert.deepEqual(readConfigFile(path, [other]), { path, text: "port: 1" });
  });

  test("reads the first of the search path that exists", () => {
    const second = pathOf("second.yaml", "port: 2");
    const third = pathOf("third.yaml", "port: 3");
    const searched = [join(directory, "missing.yaml"), second, third];
    assert.equal(readConfigFile(undefined, searched)?.path, second);
  });

  test("gives nothing where none of the search path exists", () => {
    assert.equal(readConfigFile(undefined, [join(directory, "missing.yaml")]), undefined);
  });

  test("refuses a broken file of the search path instead of taking the next", () => {
    const loop = join(directory, "loop.yaml");
    symlinkSync(loop, loop);
    const next = pathOf("next.yaml", "");
    assert.throws(() => readConfigFile(undefined, [loop, next]), { code: "CONFIG_FILE" });
  });

  test("refuses a named file that is missing", () => {
    const path = join(directory, "missing.yaml");
    assert.throws(() => readConfigFile(path), {
      code: "CONFIG_FILE",
      message: `configuration file ${path} cannot be read: no such file or directory`,
    });
  });

  test("says where a relative name was looked for", () => {
    assert.throws(() => readConfigFile("missing.yaml"), {
      message: "configuration file missing.yaml cannot be read: no such file or directory " +
        `(looked in ${process.cwd()})`,
    });
  });

  test("refuses a directory", () => {
    const path = join(directory, "sub");
    mkdirSync(path);
    assert.throws(() => readConfigFile(path), {
      code: "CONFIG_FILE",
      message: `configuration file ${path} is a directory; name the file in it`,
    });
  });

  test("takes a file of the largest size, and refuses one byte more", () => {
    const text = "#".repeat(MAX_FILE_BYTES);
    assert.equal(readConfigFile(pathOf("largest.yaml", text))?.text.length, MAX_FILE_BYTES);
    assert.throws(() => readConfigFile(pathOf("larger.yaml", `${text}#`)), {
      code: "CONFIG_FILE",
      message: /is larger than 1048576 bytes/,
    });
  });

  test("refuses a file without an end", () => {
    assert.throws(() => readConfigFile("/dev/zero"), { code: "CONFIG_FILE", message: /is larger/ });
  });

  for (
    const [what, bytes, line] of [
      ["Latin-1 in its third line", "a: b\n# c\nd: \xe9t\xe9\n", 3],
      ["UTF-16", "\xff\xfea\0:\0", 1],
      ["a character cut short at its end", "a: b\n\xc3", 2],
      ["an encoded surrogate", "\xed\xa0\x80", 1],
    ] as const
  ) {
    test(`refuses ${what}, and names the line`, () => {
      const path = pathOf("bytes.yaml", Uint8Array.from(bytes, (char) => char.charCodeAt(0)));
      assert.throws(() => readConfigFile(path), {
        code: "CONFIG_FILE",
        message:
          `configuration file ${path}:${line}:1: this line is not UTF-8; save the file as UTF-8`,
      });
    });
  }

  test("takes UTF-8, and leaves the byte order mark out", () => {
    const path = pathOf("utf8.yaml", "\ufeff# \u00e9\u{1f511}\r\n");
    assert.equal(readConfigFile(path)?.text, "# \u00e9\u{1f511}\r\n");
  });

  test("shows control characters of a file's name escaped", () => {
    assert.throws(() => readConfigFile(join(directory, "\u001b[31m")), (error: Error) => {
      return error.message.includes("\\u{1b}[31m") && !error.message.includes("\u001b");
    });
  });

  test("refuses a name that no file can have", () => {
    assert.throws(() => readConfigFile("a\0b"), { code: "CONFIG_FILE" });
    assert.throws(() => readConfigFile(""), {
      code: "CONFIG_FILE",
      message: 'configuration file "" cannot be read: the name is empty',
    });
  });
});
