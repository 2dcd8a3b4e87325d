import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { createPingFixture, ping, SLOW } from "../support/ping_fixture.ts";
import type { TempDir } from "../support/temp_dir.ts";

let dir: TempDir;
/** The flags of a good client. */
let files: readonly string[];
before(async () => {
  ({ dir, files } = await createPingFixture());
});
after(() => dir.remove());

describe("keyless ping: usage and files, exit 2", () => {
  const good = () => [...files];
  const without = (flag: string) => {
    const flags = [...files];
    flags.splice(flags.indexOf(flag), 2);
    return flags;
  };
  const replaced = (flag: string, value: string) => [...without(flag), flag, value];
  const cases: readonly [what: string, args: () => string[], says: RegExp][] = [
    ["--dev-dir without --dev", () => ["host", "--dev-dir", "x"], /--dev-dir goes with --dev/],
    ["an empty --dev-dir", () => ["host", "--dev", "--dev-dir", ""], /--dev-dir is empty; name/],
    ["a URL", () => ["https://host:1/", ...files], /leave out the scheme and the path: host:1\n/],
    [
      "too long a path of a socket",
      () => [`unix:/${"x".repeat(107)}`, ...files],
      /that of a UNIX socket has at most 107\n/,
    ],
    ["no target", good, /no target: give host\[:port\] or unix:\/path, or --dev/],
    ["no files", () => ["host"], /--cert, --key and --ca must be given/],
    ["no CA", () => ["host", ...without("--ca")], /--ca must be given/],
    ["a bad target", () => ["host:port", ...files], /"host:port" names no server: the port/],
    [
      "a count of 0",
      () => ["host", ...files, "-c", "0"],
      /--count is "0"; give a whole number from 1 to 1000000\n/,
    ],
    [
      "a count beyond a million",
      () => ["host", ...files, "-c", "1000001"],
      /--count.*from 1 to 1000000/,
    ],
    ["a count that is none", () => ["host", ...files, "-c", "x"], /--count is "x"; give/],
    [
      "a bad interval",
      () => ["host", ...files, "-i", "soon"],
      /--interval is "soon"; give a duration/,
    ],
    [
      "a negative timeout",
      () => ["host", ...files, "-W", "-1s"],
      /--timeout is "-1s"; give a duration from 1ms/,
    ],
    [
      "a timeout of 0",
      () => ["host", ...files, "-W", "0"],
      /--timeout is "0"; give a duration from 1ms/,
    ],
    [
      "a bad --wait",
      () => ["host", ...files, "--wait", "1y"],
      /--wait is "1y"; give a duration from 0s/,
    ],
    [
      "more healthy targets than targets",
      () => ["host", ...files, "--min-healthy", "2"],
      /--min-healthy is 2, but only one target is given/,
    ],
    ["an unknown operation", () => ["host", ...files, "--op", "x"], /--op.*ping, sign/],
    ["an empty server name", () => ["host", ...files, "--server-name", ""], /--server-name is/],
    ["an unknown flag", () => ["host", "--certs", "x"], /unknown option '--certs'/],
    [
      "a certificate that is not there",
      () => ["host", ...replaced("--cert", "/none.pem")],
      /--cert \/none\.pem cannot be read: no such file/,
    ],
    [
      "a directory as the key",
      () => ["host", ...replaced("--key", dir.path)],
      /--key .* is a directory/,
    ],
    [
      "a key of another certificate",
      () => {
        const other = dir.at("mismatch.key");
        execFileSync("openssl", ["genpkey", "-algorithm", "ED25519", "-out", other]);
        return ["host", ...replaced("--key", other)];
      },
      /--key .*mismatch\.key is not the key of --cert .*good\.pem/,
    ],
    [
      "a CA file without a certificate",
      () => ["host", ...replaced("--ca", dir.write("empty.pem", ""))],
      /--ca .*empty\.pem holds no certificate/,
    ],
    ["sign without a key", () => ["host", ...files, "--op", "sign"], /--public FILE or --ski HEX/],
    ["a SKI without sign", () => ["host", ...files, "--ski", "00"], /--ski .*add --op sign/],
    [
      "a SKI that is too short",
      () => ["host", ...files, "--op", "sign", "--ski", "0011"],
      /--ski takes the 20 bytes/,
    ],
    [
      "an unknown scheme",
      () => ["host", ...files, "--op", "sign", "--scheme", "rsa-decrypt"],
      /--scheme/,
    ],
    [
      "a scheme of another type of key",
      () => ["host", ...files, "--op", "sign", "--public", files[1]!, "--scheme", "rsa-sha256"],
      /--scheme rsa-sha256 does not fit a key of kind EC P-256/,
    ],
    [
      "a private key as --public",
      () => ["host", ...files, "--op", "sign", "--public", files[3]!],
      /--public .*good\.key: it holds a private key; give the public half of it: openssl pkey/,
    ],
    [
      "a --public file that holds no key",
      () => ["host", ...files, "--op", "sign", "--public", dir.write("text", "hello")],
      /--public .*text: it holds no key/,
    ],
    [
      "a key named twice",
      () => ["host", ...files, "--op", "sign", "--public", files[1]!, "--ski", "00".repeat(20)],
      /--ski and --public both name a key/,
    ],
  ];
  for (const [what, args, says] of cases) {
    test(what, SLOW, async () => {
      const { code, stdout, stderr } = await ping(...args());
      assert.match(stderr, says);
      assert.equal(code, 2);
      assert.equal(stdout, "");
      assert.doesNotMatch(stderr, /\n\s+at |internal error/);
    });
  }
});
