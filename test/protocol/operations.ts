import fc from "fast-check";
import type { Operation } from "../../src/protocol/operation.ts";

/** Operations of every shape that can be written, with values up to `maxValueBytes` long. */
export function anyOperation(maxValueBytes = 64): fc.Arbitrary<Operation> {
  const value = fc.uint8Array({ maxLength: maxValueBytes });
  const text = fc.string({ unit: "binary", maxLength: Math.floor(maxValueBytes / 4) });
  const address = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
  );
  return fc.record({
    opcode: fc.nat(0xff),
    payload: value,
    extra: value,
    ski: value,
    digest: value,
    clientIp: address,
    serverIp: address,
    serverName: text,
    certificateId: text,
    customFunction: text,
    span: value,
    context: value,
    region: fc.nat(0xff),
  }, { requiredKeys: [], noNullPrototype: true });
}

/** Any packet id. */
export function anyId(): fc.Arbitrary<number> {
  return fc.integer({ min: 0, max: 0xffff_ffff });
}

/** The fields that say something: what a decoder gives for the bytes that the operation becomes. */
export function present(operation: Operation): Operation {
  return Object.fromEntries(
    Object.entries(operation).filter(([, value]) =>
      value !== undefined && (typeof value === "number" || value.length > 0)
    ),
  );
}
