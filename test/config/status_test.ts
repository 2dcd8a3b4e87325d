import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { resolveSettings } from "../../src/config/load.ts";
import type { FlagTexts } from "../../src/config/sources.ts";

function load(flags: FlagTexts): ReturnType<typeof resolveSettings> {
  return resolveSettings({ flags, env: {}, file: undefined, unknownKeys: "refuse" });
}

describe("the status port's settings", () => {
  for (
    const status of ["localhost:6060", "http://127.0.0.1:0", "unix:/run/s.sock", "/run/s.sock"]
  ) {
    test(`accept ${status}`, () => assert.equal(load({ status }).settings.status, status));
  }

  test("refuse what is no address, and say what is", () => {
    assert.throws(
      () => load({ status: "localhost" }),
      /flag --status: status is "localhost"; give HOST:PORT for HTTPS, http:\/\/HOST:PORT, or unix:PATH/,
    );
  });

  for (
    const status of ["http://0.0.0.0:6060", "http://:6060", "http://[::]:6060", "http://box:6060"]
  ) {
    for (const power of ["enable_pprof", "enable_shutdown"] as const) {
      test(`refuse ${power} at ${status}, where nobody can prove who asks`, () => {
        assert.throws(
          () => load({ status, [power]: "true" }),
          new RegExp(`plain HTTP that other machines reach, .*${power}.*; leave out http://`),
        );
      });
    }
    test(`accept ${status} without them`, () =>
      assert.equal(load({ status }).settings.status, status));
  }

  const proved = ["0.0.0.0:6060", "http://localhost:6060", "http://[::1]:6060", "unix:/run/s.sock"];
  for (const status of proved) {
    test(`accept both at ${status}`, () => {
      const { settings, warnings } = load({
        status,
        enable_pprof: "true",
        enable_shutdown: "true",
      });
      assert.deepEqual([settings.enable_pprof, settings.enable_shutdown], [true, true]);
      assert.deepEqual(warnings, []);
    });
  }

  test("warn of heap profiles without the switch for profiles", () => {
    const { warnings } = load({ status: "http://127.0.0.1:6060", enable_heap_profile: "true" });
    assert.deepEqual(warnings, [
      "flag --enable-heap-profile: enable_heap_profile has no effect without enable_pprof; " +
      "set --enable-pprof too",
    ]);
  });

  test("warn of what has no effect without a status port", () => {
    const { warnings } = load({ enable_pprof: "true", enable_heap_profile: "true" });
    assert.deepEqual(warnings, [
      "flag --enable-pprof: enable_pprof has no effect without status; set --status too",
      "flag --enable-heap-profile: enable_heap_profile has no effect without status; set --status too",
    ]);
  });
});
