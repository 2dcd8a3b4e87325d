import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { refuseEnrolment } from "../../src/config/enrolment.ts";
import { resolveSettings } from "../../src/config/load.ts";

describe("refuseEnrolment", () => {
  const configured = settings("hostname: a.example\nzone_id: z\norigin_ca_api_key: v1.0-secret");

  test("lets a server start whose certificate is there, whatever it was got by", () => {
    refuseEnrolment(configured, () => true);
  });

  test("lets a missing file pass where nothing asks for enrolment: its own error says more", () => {
    refuseEnrolment(settings(""), () => false);
  });

  for (
    const [missing, message] of [
      [
        ["server.pem"],
        /^there is no server\.pem, and .* \(hostname, zone_id, origin_ca_api_key\) is not in/,
      ],
      [["server-key.pem"], /^there is no server-key\.pem, and/],
      [["server.pem", "server-key.pem"], /^there is no server\.pem and no server-key\.pem, and/],
    ] as const
  ) {
    test(`refuses where ${missing.join(" and ")} would have to be requested`, () => {
      const exists = (path: string) => !(missing as readonly string[]).includes(path);
      assert.throws(() => refuseEnrolment(configured, exists), (error: Error) => {
        assert.match(error.message, message);
        assert.match(error.message, /openssl.*auth_cert and auth_key$/);
        assert.ok(!error.message.includes("secret"));
        return "code" in error && error.code === "CONFIG_NOT_YET";
      });
    });
  }
});

function settings(text: string) {
  const file = { path: "f", text };
  return resolveSettings({ flags: {}, env: {}, file, unknownKeys: "refuse" }).settings;
}
