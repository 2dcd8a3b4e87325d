import type { ListenFlags } from "../src/server/listen_error.ts";

/** What an operator can change of the metrics port. */
export const METRICS_FLAGS: ListenFlags = {
  port: "another --metrics-port, or --metrics-port off",
  bind: "--metrics-bind",
  path: "", // it is no path
};

/** The same of the status port. */
export const STATUS_FLAGS: ListenFlags = {
  port: "another --status",
  bind: "--status",
  path: "another --status",
};
