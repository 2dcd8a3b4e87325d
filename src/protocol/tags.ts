/**
 * The items that a packet's body may hold, once: number, name, the field of `Operation` that carries
 * the value, how the value is written, and which lengths a decoder accepts.
 *
 * Rows stand in the order in which items are written. Source: the protocol page, "tag | item | value".
 */
export const ITEMS = [
  { tag: 0x11, name: "opcode", field: "opcode", form: "byte", lengths: [1] },
  { tag: 0x12, name: "payload", field: "payload", form: "bytes" },
  { tag: 0x14, name: "extra payload", field: "extra", form: "bytes" },
  { tag: 0x04, name: "subject key identifier", field: "ski", form: "bytes" },
  { tag: 0x01, name: "certificate digest", field: "digest", form: "bytes" },
  { tag: 0x03, name: "client IP", field: "clientIp", form: "bytes", lengths: [4, 16] },
  { tag: 0x05, name: "server IP", field: "serverIp", form: "bytes", lengths: [4, 16] },
  { tag: 0x02, name: "server name", field: "serverName", form: "text" },
  { tag: 0x06, name: "certificate id", field: "certificateId", form: "text" },
  { tag: 0x13, name: "custom function name", field: "customFunction", form: "text" },
  { tag: 0x15, name: "Jaeger span context", field: "span", form: "bytes" },
  { tag: 0x16, name: "request context", field: "context", form: "bytes" },
  { tag: 0x17, name: "compliance region", field: "region", form: "byte", lengths: [1] },
] as const;

/** The item that fills a packet up; its value means nothing. */
export const PADDING_TAG = 0x20;

export type Item = (typeof ITEMS)[number];

/** How a value is written, and what stands for it in an `Operation`. */
export interface ItemForms {
  readonly byte: number;
  readonly bytes: Uint8Array;
  readonly text: string;
}
