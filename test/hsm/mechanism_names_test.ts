import assert from "node:assert/strict";
import { test } from "node:test";
import { mechanismName } from "../../src/hsm/mechanism_names.ts";

const CASES: readonly [type: number, known: string, name: string][] = [
  [0x1041, "ECDSA", "CKM_ECDSA"],
  [0x1057, "unknown", "CKM_EDDSA"],
  [0x210a, "unknown", "0x210a"],
  [0x8000_0000, "unknown", "CKM_VENDOR_DEFINED+0x0"],
  [0x8001_00ff, "unknown", "CKM_VENDOR_DEFINED+0x100ff"],
];
for (const [type, known, name] of CASES) {
  test(`mechanism 0x${type.toString(16)} is called ${name}`, () => {
    assert.equal(mechanismName(type, known), name);
  });
}
