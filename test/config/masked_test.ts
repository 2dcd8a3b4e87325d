import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { resolveSettings } from "../../src/config/load.ts";
import { maskedText } from "../../src/config/masked.ts";
import { type SettingKey, settingOf } from "../../src/config/settings.ts";

describe("a value is shown", () => {
  const SHOWN: readonly [key: SettingKey, text: string, shown: string][] = [
    ["metrics_url", "", ""],
    ["metrics_url", "http://h:81/x", "http://h:81/x"],
    ["metrics_url", "http://me:secret@h:81/x", "http://********@h:81/x"],
    ["metrics_url", "http://secret@h/", "http://********@h/"],
    ["metrics_url", "https://h/x?token=secret", "https://h/x?********"],
    ["metrics_url", "https://me:se@cret@h/x?token=a@secret", "https://********@h/x?********"],
    ["init_endpoint", "https://me:secret@h/", "https://********@h/"],
    ["passphrase", "secret", "********"],
    ["passphrase", "", ""],
    ["hostname", "a@b?c", "a@b?c"],
  ];
  for (const [key, text, shown] of SHOWN) {
    test(`as ${JSON.stringify(shown)} where ${key} is ${JSON.stringify(text)}`, () => {
      assert.equal(maskedText(settingOf(key), text), shown);
    });
  }

  test("without any URL's credentials", () => {
    const user = fc.string({ minLength: 1 }).map((name) => `SECRET${encodeURIComponent(name)}`);
    fc.assert(fc.property(user, user, fc.webUrl(), (name, password, url) => {
      const text = url.replace("://", `://${name}:${password}@`);
      assert.doesNotMatch(maskedText(settingOf("metrics_url"), text), /SECRET/);
    }));
  });
});

describe("a URL that may hold a password", () => {
  for (const url of ["htp://me:secret@h/", "me:secret@h", "http://h:x/?token=secret"]) {
    test(`is not quoted where it is none: ${url.replace("secret", "…")}`, () => {
      const flags = { metrics_url: url };
      assert.throws(
        () => resolveSettings({ flags, env: {}, file: undefined, unknownKeys: "refuse" }),
        /^ConfigError: flag --metrics-url: metrics_url is not usable; give a URL /,
      );
    });
  }

  test("makes a warning where it is a flag, and none where it is a variable", () => {
    const url = "http://me:secret@h/";
    const load = (flags: object, env: Record<string, string>) =>
      resolveSettings({ flags, env, file: undefined, unknownKeys: "refuse" }).warnings;
    const [warning = "", ...more] = load({ metrics_url: url }, {});
    assert.match(warning, /^flag --metrics-url: other users .*; set KEYLESS_METRICS_URL instead$/);
    assert.deepEqual([more, load({}, { KEYLESS_METRICS_URL: url })], [[], []]);
    assert.deepEqual(load({ metrics_url: "http://h/?a=b" }, {}), []);
  });
});

describe("keyless config check", () => {
  test("says where a wrong address, URL, interval or prefix of the push stands", () => {
    const text = [
      "metrics_graphite: graphite",
      "metrics_url: graphite:2003",
      "metrics_interval: 10ms",
      "metrics_prefix: 'a b'",
    ].join("\n");
    const file = { path: "gokeyless.yaml", text };
    assert.throws(
      () => resolveSettings({ flags: {}, env: {}, file, unknownKeys: "refuse" }),
      (error: Error) => {
        const places = error.message.split("\n").slice(1).map((line) => line.trim().split(" ")[0]);
        assert.deepEqual(places, [
          "gokeyless.yaml:1:19:",
          "gokeyless.yaml:2:14:",
          "gokeyless.yaml:3:19:",
          "gokeyless.yaml:4:17:",
        ]);
        return true;
      },
    );
  });
});
