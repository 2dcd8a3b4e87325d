import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { decodeSpan, encodeSpan, type SpanContext } from "../../src/protocol/span.ts";
import { bytes } from "./vectors.ts";

const TRACE = "0123456789abcdef0011223344556677";
const SPAN = "8899aabbccddeeff";
const PARENT = "0102030405060708";
const CONTEXT: SpanContext = { traceId: TRACE, spanId: SPAN, parentId: PARENT, flags: 1 };
const BINARY = `${TRACE}${SPAN}${PARENT}01`;

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

function hexId(digits: number): fc.Arbitrary<string> {
  return fc.string({
    unit: fc.constantFrom(..."0123456789abcdef"),
    minLength: digits,
    maxLength: digits,
  });
}

function anySpan(): fc.Arbitrary<SpanContext> {
  const notZero = (id: string) => !/^0+$/.test(id);
  return fc.record({
    traceId: hexId(32).filter(notZero),
    spanId: hexId(16).filter(notZero),
    parentId: hexId(16),
    flags: fc.nat(0xff),
  }, { noNullPrototype: true });
}

describe("a span item", () => {
  const accepted: readonly [string, Uint8Array, Partial<SpanContext>][] = [
    ["binary", bytes(`${BINARY}00000000`), {}],
    ["binary without a parent", bytes(`${TRACE}${SPAN}${"00".repeat(8)}0100000000`), {
      parentId: "0".repeat(16),
    }],
    [
      "binary with a trace id of 64 bits",
      bytes(`${"00".repeat(8)}${SPAN}${SPAN}${PARENT}0100000000`),
      {
        traceId: `${"0".repeat(16)}${SPAN}`,
      },
    ],
    ["binary with all flags", bytes(`${TRACE}${SPAN}${PARENT}ff00000000`), { flags: 0xff }],
    [
      "binary with baggage, which is left out",
      bytes(`${BINARY}00000001000000016b0000000276${"76"}`),
      {},
    ],
    ["binary with empty baggage", bytes(`${BINARY}000000010000000000000000`), {}],
    ["text", text(`${TRACE}:${SPAN}:${PARENT}:1`), {}],
    ["text in capitals", text(`${TRACE}:${SPAN}:${PARENT}:1`.toUpperCase()), {}],
    ["text with a trace id of 64 bits", text(`${SPAN}:${SPAN}:${PARENT}:01`), {
      traceId: `${"0".repeat(16)}${SPAN}`,
    }],
    ["text that is as long as the binary form", text(`${SPAN}:${SPAN}:0:1`), {
      traceId: `${"0".repeat(16)}${SPAN}`,
      parentId: "0".repeat(16),
    }],
    ["text without leading zeros", text("a:b:c:3"), {
      traceId: "a".padStart(32, "0"),
      spanId: "b".padStart(16, "0"),
      parentId: "c".padStart(16, "0"),
      flags: 3,
    }],
    ["text with hexadecimal flags", text(`${TRACE}:${SPAN}:${PARENT}:fe`), { flags: 0xfe }],
  ];
  for (const [name, item, differences] of accepted) {
    test(`is understood: ${name}`, () => {
      assert.deepEqual(decodeSpan(item), { ...CONTEXT, ...differences });
    });
  }

  const ignored: readonly [string, Uint8Array][] = [
    ["nothing", text("")],
    ["one byte too few", bytes(`${BINARY}000000`)],
    ["one byte too many", bytes(`${BINARY}0000000000`)],
    ["baggage that is not there", bytes(`${BINARY}00000001`)],
    ["baggage that is cut short", bytes(`${BINARY}00000001000000026b`)],
    ["baggage without end", bytes(`${BINARY}ffffffff${"00000000".repeat(8)}`)],
    ["baggage as long as four gigabytes", bytes(`${BINARY}00000001ffffffff6b0000000176`)],
    ["a trace id of zero", bytes(`${"00".repeat(16)}${SPAN}${PARENT}0100000000`)],
    ["a span id of zero", bytes(`${TRACE}${"00".repeat(8)}${PARENT}0100000000`)],
    ["a trace id of zero in text", text(`0:${SPAN}:${PARENT}:1`)],
    ["a span id of zero in text", text(`${TRACE}:0:${PARENT}:1`)],
    ["text of three parts", text(`${TRACE}:${SPAN}:1`)],
    ["text of five parts", text(`${TRACE}:${SPAN}:${PARENT}:1:1`)],
    ["text with an empty part", text(`${TRACE}:${SPAN}::1`)],
    ["text with a trace id that is too long", text(`0${TRACE}:${SPAN}:0:1`)],
    ["text with a span id that is too long", text(`${TRACE}:0${SPAN}:0:1`)],
    ["text with flags of more than a byte", text(`${TRACE}:${SPAN}:0:100`)],
    ["text with no hexadecimal", text(`${TRACE}:${SPAN}:0:g`)],
    ["text with a line feed at its end", text(`${TRACE}:${SPAN}:0:1\n`)],
    ["text with a space", text(` ${TRACE}:${SPAN}:0:1`)],
    ["W3C's form", text(`00-${TRACE}-${SPAN}-01`)],
  ];
  for (const [name, item] of ignored) {
    test(`is ignored: ${name}`, () => assert.equal(decodeSpan(item), undefined));
  }

  test("of any bytes is a span or nothing, and never an error", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (item) => {
      const span = decodeSpan(item);
      if (span !== undefined) assert.match(span.traceId, /^[0-9a-f]{32}$/);
    }));
  });

  test("with any bytes after a good beginning is a span or nothing", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (rest) => {
      const span = decodeSpan(Uint8Array.of(...bytes(BINARY), ...rest));
      assert.ok(span === undefined || span.spanId === SPAN);
    }));
  });
});

describe("encodeSpan", () => {
  test("writes 37 bytes, as the protocol page says", () => {
    assert.deepEqual(encodeSpan(CONTEXT), bytes(`${BINARY}00000000`));
  });

  test("writes what decodeSpan reads", () => {
    fc.assert(fc.property(anySpan(), (span) => {
      assert.deepEqual(decodeSpan(encodeSpan(span)), span);
    }));
  });

  test("says the same as Jaeger's text", () => {
    fc.assert(fc.property(anySpan(), (span) => {
      const { traceId, spanId, parentId, flags } = span;
      const parts = [traceId, spanId, parentId].map((id) => id.replace(/^0+(?=.)/, ""));
      assert.deepEqual(decodeSpan(text([...parts, flags.toString(16)].join(":"))), span);
    }));
  });
});
