import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openLibrary, readCString, readMemory } from "../../src/runtime/ffi.ts";
import { LIBC_PATHS } from "../../src/runtime/process.ts";
import { findLibrary } from "../../src/runtime/system_library.ts";

const found = findLibrary(LIBC_PATHS, {
  abs: ["int", "int"],
  calloc: ["pointer", "size", "size"],
  free: ["void", "pointer"],
  memcmp: ["int", "buffer", "buffer", "size"],
  memcpy: ["pointer", "pointer", "buffer", "size"],
  strlen: ["size", "pointer"],
  strchr: ["pointer", "buffer", "int"],
});
assert.ok(found.path !== undefined, "libc is there");
const libc = found.functions;

describe("openLibrary", () => {
  test("gives functions that take and return numbers", () => {
    assert.equal(libc.abs(-7), 7);
    assert.equal(libc.free(0), undefined);
  });

  test("gives pointers as plain numbers, and NULL as 0", () => {
    const pointer = libc.calloc(1, 8);
    assert.ok(Number.isSafeInteger(pointer) && pointer > 0);
    libc.free(pointer);
    assert.equal(libc.strchr(new Uint8Array([65, 0]), 66), 0);
  });

  test("hands over views from where they begin, and null as NULL", () => {
    const bytes = new Uint8Array([0, 0, 1, 2, 3]);
    assert.equal(libc.memcmp(bytes.subarray(2), new Uint8Array([1, 2, 3]), 3), 0);
    assert.notEqual(libc.memcmp(bytes.subarray(1), new Uint8Array([1, 2, 3]), 3), 0);
    assert.equal(libc.memcmp(new BigUint64Array([258n]), new Uint8Array([2, 1]), 2), 0);
    assert.equal(libc.memcmp(null, null, 0), 0);
  });

  test("throws for a file that is not there, is no library, or lacks a symbol", () => {
    for (const path of ["/nowhere/lib.so", "/etc/passwd"]) {
      assert.throws(() => openLibrary(path, { abs: ["int", "int"] }));
    }
    assert.throws(() => openLibrary(found.path!, { no_such_function: ["void"] }));
  });
});

describe("memory at a pointer", () => {
  test("is copied", () => {
    const pointer = libc.calloc(1, 8);
    libc.memcpy(pointer, new Uint8Array([1, 2, 3]), 3);
    const copy = readMemory(pointer, 4);
    libc.memcpy(pointer, new Uint8Array([9]), 1);
    assert.deepEqual([...copy], [1, 2, 3, 0]);
    assert.deepEqual([...readMemory(pointer, 1)], [9]);
    assert.equal(readMemory(pointer, 0).length, 0);
    libc.free(pointer);
  });

  test("is read as text up to its zero", () => {
    const text = new TextEncoder().encode("grüße\0hidden");
    const pointer = libc.calloc(1, 32);
    libc.memcpy(pointer, text, text.length);
    assert.equal(readCString(pointer), "grüße");
    assert.equal(libc.strlen(pointer), 7);
    libc.free(pointer);
  });
});
