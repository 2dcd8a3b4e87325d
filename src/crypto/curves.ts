/**
 * The curves that keys may lie on. `parameters` is the DER of the curve's object identifier, as it
 * stands in a key's algorithm.
 *
 * Source: RFC 5480 section 2.1.1.1.
 */
export const CURVES = {
  "P-224": { bits: 224, parameters: "06052b81040021" },
  "P-256": { bits: 256, parameters: "06082a8648ce3d030107" },
  "P-384": { bits: 384, parameters: "06052b81040022" },
  "P-521": { bits: 521, parameters: "06052b81040023" },
} as const;

export type CurveName = keyof typeof CURVES;

/** The curve that an object identifier names, given as DER in lower-case hexadecimal. */
export function curveOf(parameters: string): CurveName | undefined {
  return BY_PARAMETERS.get(parameters);
}

export const CURVE_NAMES = Object.keys(CURVES) as CurveName[];

const BY_PARAMETERS = new Map<string, CurveName>(
  CURVE_NAMES.map((name) => [CURVES[name].parameters, name]),
);
