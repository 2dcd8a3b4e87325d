import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { resolveSettings } from "../../src/config/load.ts";
import type { FlagTexts } from "../../src/config/sources.ts";

describe("the environment", () => {
  for (const variable of ["KEYLESS_PORT", "KEYLESS_METRICS_PORT"]) {
    for (const value of ["tcp://10.0.0.1:2407", "udp://10.0.0.1:53", "tcp://[fd00::1]:2407"]) {
      test(`${variable}=${value} is Kubernetes' own: ignored, named, with the mend`, () => {
        const { settings, warnings } = load({ [variable]: value });
        assert.equal(settings.port, 2_407);
        assert.equal(settings.metrics_port, 2_406);
        assert.equal(warnings.length, 1);
        assert.match(warnings[0] ?? "", new RegExp(`^environment ${variable}: ignored`));
        assert.match(warnings[0] ?? "", /rename the Service.*enableServiceLinks: false.*give --/);
      });
    }
  }

  test("variables that are not known are not ours", () => {
    const env = {
      KEYLESS_SERVICE_HOST: "10.0.0.1",
      KEYLESS_PORT_2407_TCP: "tcp://x",
      KEYLESS: "1",
    };
    assert.deepEqual(load(env).warnings, []);
  });

  for (
    const [variable, meant] of [
      ["KEYLESS_PROT", "KEYLESS_PORT"],
      ["KEYLESS_AUTH_CRT", "KEYLESS_AUTH_CERT"],
      ["KEYLESS_PASPHRASE", "KEYLESS_PASSPHRASE"],
    ] as const
  ) {
    test(`${variable} is ignored, with a warning that does not show its value`, () => {
      assert.deepEqual(load({ [variable]: "horse" }).warnings, [
        `environment ${variable}: ignored, it is no setting; did you mean ${meant}?`,
      ]);
    });
  }

  test("what Kubernetes sets for a Service of nearly that name is not taken for a typo", () => {
    const env = {
      KEYLESS_A_PORT: "tcp://10.0.0.1:80",
      KEYLESS_PORT_80_TCP_PORT: "80",
      KEYLESS_PROT: "",
    };
    assert.deepEqual(load(env).warnings, []);
  });

  test("a bad value names its variable", () => {
    assert.throws(() => load({ KEYLESS_LOGLEVEL: "loud" }), {
      code: "CONFIG_VALUE",
      message: /^environment KEYLESS_LOGLEVEL: loglevel is "loud"; give 0 to 5/,
    });
  });

  for (
    const [variable, mend] of [
      ["KEYLESS_PRIVATE_KEY_DIRS", /give --private-key-dirs$/],
      ["KEYLESS_PRIVATE_KEY_FILES", /give --private-key-files$/],
      ["KEYLESS_PRIVATE_KEY_STORES", /set it in the file$/],
    ] as const
  ) {
    test(`${variable} is ignored with a warning`, () => {
      const { settings, warnings } = load({ [variable]: "/a" });
      assert.deepEqual(settings.private_key_stores, []);
      assert.match(warnings.join(), mend);
    });
  }

  test("problems of file, environment and flags come together, in that order", () => {
    assert.throws(
      () => load({ KEYLESS_BIND: "a b" }, { max_connections: "0" }, "port: x\n"),
      (error: Error) => {
        const places = error.message.split("\n").slice(1).map((line) =>
          /^ {2}(.*?): /.exec(line)?.[1]
        );
        assert.deepEqual(places, ["f:1:7", "environment KEYLESS_BIND", "flag --max-connections"]);
        return true;
      },
    );
  });

  test("a bad value is refused also where a flag overrides it", () => {
    assert.throws(() => load({}, { port: "1" }, "port: x\n"), { code: "CONFIG_VALUE" });
  });
});

describe("private_key_dirs and private_key_files", () => {
  test("replace the stores of the file", () => {
    const { settings, origins } = load(
      {},
      { private_key_dirs: "/d1,/d2", private_key_files: "/f" },
      "private_key_stores: [{dir: /other}]",
    );
    assert.deepEqual(settings.private_key_stores, [{ dir: "/d1" }, { dir: "/d2" }, { file: "/f" }]);
    assert.equal(
      origins.private_key_stores,
      "flag --private-key-dirs, flag --private-key-files",
    );
  });

  test("replace also stores that this version does not have", () => {
    const { settings } = load({}, { private_key_files: "/f" }, "private_key_stores: [{uri: x}]");
    assert.deepEqual(settings.private_key_stores, [{ file: "/f" }]);
  });
});

describe("secrets", () => {
  const secret = "v1.0-\0secret";

  test("are not echoed where they are refused", () => {
    for (
      const attempt of [
        () => load({ KEYLESS_ORIGIN_CA_API_KEY: secret }),
        () => load({}, { origin_ca_api_key: secret }),
        () => load({}, {}, `origin_ca_api_key: ${JSON.stringify(secret)}`),
        () => load({}, {}, `origin_ca_api_key: [${JSON.stringify(secret)}]`),
        () => load({ KEYLESS_PASSPHRASE: secret }),
        () => load({}, {}, `passphrase: ${JSON.stringify(secret)}`),
        () => load({}, {}, `origin_ca_api_key: "v1.0-secret`),
        () => load({}, {}, `origin_ca_api_key: !secret [}`),
        () => load({}, {}, `origin_ca_api_key: "\\secret"`),
      ]
    ) {
      assert.throws(attempt, (error: Error) => {
        assert.ok(!error.message.includes("secret"), error.message);
        return "code" in error && String(error.code).startsWith("CONFIG_");
      });
    }
  });

  test("as a flag are taken, as gokeyless does, with a warning that does not show them", () => {
    const { settings, warnings } = load({}, { origin_ca_api_key: "v1.0-horse" });
    assert.equal(settings.origin_ca_api_key, "v1.0-horse");
    assert.deepEqual(warnings, [
      "flag --origin-ca-api-key: other users of the machine see it in the list of processes; " +
      "set KEYLESS_ORIGIN_CA_API_KEY instead",
    ]);
  });

  test("two passphrases are one too many", () => {
    const env = { KEYLESS_PASSPHRASE: "horse", KEYLESS_PASSPHRASE_FILE: "/p" };
    assert.throws(() => load(env), (error: Error) => {
      return /passphrase_file is set as well/.test(error.message) &&
        !error.message.includes("horse");
    });
  });
});

describe("port off", () => {
  test("is fine beside a UNIX socket", () => {
    assert.equal(load({}, { port: "off", unix_socket: "/run/x" }).settings.port, "off");
  });

  test("leaves nothing to listen on without one", () => {
    assert.throws(() => load({ KEYLESS_PORT: "off" }), {
      code: "CONFIG_VALUE",
      message: /^environment KEYLESS_PORT: port is off and unix_socket is not set/,
    });
  });

  test("beside a socket that is refused is no problem of its own", () => {
    assert.throws(() => load({}, { port: "off", unix_socket: `/${"x".repeat(107)}` }), {
      message: /^flag --unix-socket: unix_socket is "[^"]*"; give a path of at most 107 bytes$/,
    });
  });
});

function load(env: Record<string, string>, flags: FlagTexts = {}, text?: string) {
  const file = text === undefined ? undefined : { path: "f", text };
  return resolveSettings({ flags, env, file, unknownKeys: "refuse" });
}
