/** How `keyless certs expiry` prints. */
export const FORMATS = ["prometheus", "openmetrics", "table", "json"] as const;
export type Format = (typeof FORMATS)[number];

/** Its own flags, as they were typed. */
export interface ExpiryFlags {
  readonly configFile?: string;
  readonly format?: Format;
  readonly json?: true;
  readonly textfile?: string;
  readonly warn?: string;
  readonly critical?: string;
  readonly debug?: true;
}
