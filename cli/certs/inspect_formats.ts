/** What `--format` of `certs inspect` takes. */
export const INSPECT_FORMATS = ["text", "short", "json", "pem"] as const;

export type InspectFormat = (typeof INSPECT_FORMATS)[number];
