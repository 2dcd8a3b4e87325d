import assert from "node:assert/strict";
import { test } from "node:test";
import { parseEndpoint } from "../../src/client/endpoint.ts";
import { MAX_TIMER_MS as MAX_CLIENT_TIMER_MS } from "../../src/client/deadlines.ts";
import { MAX_TIMER_MS } from "../../src/text/duration.ts";
import { parseValue } from "../../src/config/kinds.ts";
import { type SettingKey, settingOf } from "../../src/config/settings.ts";
import { DEFAULT_LIMITS, type ServerLimits } from "../../src/server/limits.ts";

// neither side may import the other: what both say is held together here

test("the server's defaults are those of the settings", () => {
  const settings: Partial<Record<keyof ServerLimits, SettingKey>> = {
    maxConnections: "max_connections",
    maxInFlight: "max_in_flight",
    handshakeMs: "handshake_timeout",
    idleMs: "idle_timeout",
    unixIdleMs: "unix_idle_timeout",
    writeStallMs: "write_timeout",
  };
  for (const [limit, key] of Object.entries(settings)) {
    assert.equal(DEFAULT_LIMITS[limit as keyof ServerLimits], settingOf(key).default, key);
  }
});

test("server and client take the same paths of UNIX sockets", () => {
  for (
    const [path, isTaken] of [[`/${"x".repeat(106)}`, true], [
      `/${"x".repeat(107)}`,
      false,
    ]] as const
  ) {
    assert.equal(parseValue(settingOf("unix_socket"), path) !== undefined, isTaken);
    if (isTaken) assert.deepEqual(parseEndpoint(`unix:${path}`), { kind: "unix", path });
    else assert.throws(() => parseEndpoint(`unix:${path}`), { code: "USAGE" });
  }
});

test("settings and the client's deadlines know the same longest timer", () => {
  assert.equal(MAX_TIMER_MS, MAX_CLIENT_TIMER_MS);
});
