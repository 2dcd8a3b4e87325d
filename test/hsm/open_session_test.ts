import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openAnySession } from "../../src/hsm/open_session.ts";

const SERIAL = 4;
const SERIAL_FOR_WRITING = 6;

function tried(accepts: readonly number[]) {
  const flags: number[] = [];
  const open = (each: number) => {
    flags.push(each);
    if (!accepts.includes(each)) throw new Error(`CKR_${each}`);
    return "session";
  };
  return { flags, open };
}

describe("openAnySession", () => {
  test("asks for one for writing only where there is none for reading", () => {
    const { flags, open } = tried([SERIAL, SERIAL_FOR_WRITING]);
    assert.equal(openAnySession(open), "session");
    assert.deepEqual(flags, [SERIAL]);
    const writing = tried([SERIAL_FOR_WRITING]);
    assert.equal(openAnySession(writing.open), "session");
    assert.deepEqual(writing.flags, [SERIAL, SERIAL_FOR_WRITING]);
  });

  for (const ckr of ["CKR_SESSION_COUNT", "CKR_TOKEN_NOT_PRESENT", "CKR_DEVICE_REMOVED"]) {
    test(`asks once where ${ckr} says that it would be in vain`, () => {
      const flags: number[] = [];
      const open = (each: number) => {
        flags.push(each);
        throw new Error(ckr);
      };
      assert.throws(() => openAnySession(open), { message: ckr });
      assert.deepEqual(flags, [SERIAL]);
    });
  }

  test("says why the first was refused where both are", () => {
    assert.throws(() => openAnySession(tried([]).open), /CKR_4/);
  });
});
