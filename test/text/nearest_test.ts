import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { nearest } from "../../src/text/nearest.ts";

const NAMES = ["port", "metrics_port", "auth_cert", "auth_key", "hostname", "loglevel"];

describe("nearest", () => {
  for (
    const [typed, meant] of [
      ["prot", "port"], // swapped
      ["por", "port"], // dropped
      ["portt", "port"], // added
      ["pork", "port"], // changed
      ["auth_crt", "auth_cert"],
      ["auth-cert", "auth_cert"],
      ["authcert", "auth_cert"],
      ["log_level", "loglevel"],
      ["metricsport", "metrics_port"],
      ["port", "port"],
    ] as const
  ) {
    test(`takes ${typed} for ${meant}`, () => assert.equal(nearest(typed, NAMES), meant));
  }

  for (const typed of ["", "x", "pt", "listen_address", "metrics", "tropx"]) {
    test(`takes ${JSON.stringify(typed)} for nothing`, () => {
      assert.equal(nearest(typed, NAMES), undefined);
    });
  }
});
