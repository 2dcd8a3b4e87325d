import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, test } from "node:test";
import type { PKCS11 } from "pkcs11js";
import { ATTRIBUTE_TYPES, type AttributeName, AttributeReader } from "../../src/hsm/objects.ts";

const OBJECT = Buffer.alloc(8);

/** A module of which objects have some attributes; one that lacks a single one gives none. */
class FakeModule {
  /** What was asked for together. */
  readonly asked: number[][] = [];
  error = "CKR_ATTRIBUTE_TYPE_INVALID";
  #had: ReadonlySet<number>;

  constructor(had: readonly AttributeName[]) {
    this.#had = typesOf(had);
  }

  has(had: readonly AttributeName[]): void {
    this.#had = typesOf(had);
  }

  reader<Name extends AttributeName>(names: readonly Name[]): AttributeReader<Name> {
    const lib: Pick<PKCS11, "C_GetAttributeValue"> = {
      C_GetAttributeValue: (_session, _object, template) => {
        const types = template.map(({ type }) => type);
        this.asked.push(types);
        if (types.some((type) => !this.#had.has(type))) throw new Error(`${this.error}:18`);
        return types.map((type) => ({ type, value: Buffer.of(type & 255) }));
      },
    };
    return new AttributeReader({ lib: lib as PKCS11, session: OBJECT }, names);
  }
}

const typesOf = (names: readonly AttributeName[]) => new Set<number>(names.map(typeOf));
const typeOf = (name: AttributeName) => ATTRIBUTE_TYPES[name];

describe("the attributes of an object", () => {
  test("are read together", () => {
    const module = new FakeModule(["id", "label", "sign"]);
    const read = module.reader(["id", "label", "sign"]).read(OBJECT);
    assert.deepEqual(read, { id: Buffer.of(2), label: Buffer.of(3), sign: Buffer.of(8) });
    assert.equal(module.asked.length, 1);
  });

  test("are read by themselves where one is lacking, of later objects that one alone", () => {
    const module = new FakeModule(["id", "label"]);
    const reader = module.reader(["id", "sign", "label"]);
    assert.deepEqual(reader.read(OBJECT), { id: Buffer.of(2), label: Buffer.of(3) });
    assert.equal(module.asked.splice(0).length, 4);
    module.has(["id", "label", "sign"]);
    assert.deepEqual(reader.read(OBJECT).sign, Buffer.of(8));
    assert.deepEqual(
      module.asked,
      [["id", "label"], ["sign"]].map((names) => [...typesOf(names as AttributeName[])]),
    );
  });

  for (const error of ["CKR_FUNCTION_FAILED", "CKR_OBJECT_HANDLE_INVALID", "CKR_VENDOR_DEFINED"]) {
    test(`are lacking, all of them, where the token says ${error}`, () => {
      const module = new FakeModule([]);
      module.error = error;
      const reader = module.reader(["id", "label"]);
      assert.deepEqual(reader.read(OBJECT), {});
      module.asked.splice(0);
      module.has(["id", "label"]);
      assert.deepEqual(reader.read(OBJECT), { id: Buffer.of(2), label: Buffer.of(3) });
      assert.equal(module.asked.length, 1, "others are read together as before");
    });
  }

  for (const error of ["CKR_SESSION_HANDLE_INVALID", "CKR_TOKEN_NOT_PRESENT"]) {
    test(`are not read on where ${error} says that nothing can be`, () => {
      const module = new FakeModule(["id"]);
      module.error = error;
      assert.throws(() => module.reader(["id", "label"]).read(OBJECT), new RegExp(error));
      assert.equal(module.asked.length, 1);
    });
  }
});
