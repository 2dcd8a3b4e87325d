import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterEach, beforeEach, describe, test } from "node:test";
import { KeylessError } from "../../src/errors/errors.ts";
import { Authority } from "../../src/pki/authority.ts";
import { type DevDirectory, findDevDirectory, prepareDevDirectory } from "../../src/pki/dev.ts";

const P256 = "ec_paramgen_curve:P-256";

let base: string;
let target: string;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "keyless-dev-"));
  target = join(base, "dev");
});
afterEach(() => rmSync(base, { recursive: true }));

/** Keys of other kinds take seconds to make: a directory that already has its keys. */
function prepareWithoutKeys(): Promise<DevDirectory> {
  mkdirSync(join(target, "keys"), { recursive: true, mode: 0o700 });
  chmodSync(target, 0o700);
  writeFileSync(join(target, ".keyless-dev"), "");
  return prepareDevDirectory(target);
}

function openssl(...args: string[]): string {
  return execFileSync("openssl", args, { encoding: "utf8" });
}

function modeOf(path: string): number {
  return statSync(path).mode & 0o777;
}

function refuses(pattern: RegExp): Promise<void> {
  return assert.rejects(prepareDevDirectory(target), (error) => {
    assert.ok(error instanceof KeylessError);
    assert.equal(error.code, "DEV_DIRECTORY");
    assert.match(error.message, pattern);
    assert.ok(error.message.includes("--dev-dir"), "says what to do next");
    return true;
  });
}

describe("prepareDevDirectory, the first time", () => {
  test("makes certificates that verify and a key of each kind, closed to others", {
    timeout: 60_000,
  }, async () => {
    target = join(base, "not", "yet", "there");
    const told: string[] = [];
    const made = await prepareDevDirectory(target, (directory) => told.push(directory));
    assert.deepEqual(told, [target]);
    assert.equal(made.created, true);
    assert.equal(made.directory, target);
    const { ca, serverCertificate, clientCertificate } = made;
    openssl("verify", "-CAfile", ca, "-purpose", "sslserver", serverCertificate);
    openssl("verify", "-CAfile", ca, "-purpose", "sslclient", clientCertificate);
    for (const name of ["localhost"]) {
      openssl("verify", "-CAfile", ca, "-verify_hostname", name, serverCertificate);
    }
    for (const ip of ["127.0.0.1", "::1"]) {
      openssl("verify", "-CAfile", ca, "-verify_ip", ip, serverCertificate);
    }
    const pairs = [[serverCertificate, made.serverKey], [clientCertificate, made.clientKey]];
    for (const [certificate, key] of pairs as [string, string][]) {
      const wanted = openssl("x509", "-in", certificate, "-noout", "-pubkey");
      assert.equal(openssl("pkey", "-in", key, "-pubout"), wanted);
      assert.equal(modeOf(key), 0o600);
    }
    assert.equal(modeOf(target), 0o700);

    const names = readdirSync(made.keysDirectory).sort();
    const kinds = names.filter((name) => name.endsWith(".key")).map((name) => {
      const path = join(made.keysDirectory, name);
      assert.equal(modeOf(path), 0o600, name);
      assert.match(readFileSync(path, "utf8"), /^-----BEGIN PRIVATE KEY-----\n/);
      const [first] = openssl("pkey", "-in", path, "-noout", "-text").split("\n");
      return `${name}: ${first}`;
    });
    assert.deepEqual(kinds, [
      "ed25519.key: ED25519 Private-Key:",
      "p224.key: Private-Key: (224 bit)",
      "p256.key: Private-Key: (256 bit)",
      "p384.key: Private-Key: (384 bit)",
      "p521.key: Private-Key: (521 bit)",
      "rsa-2048.key: Private-Key: (2048 bit, 2 primes)",
      "rsa-3072.key: Private-Key: (3072 bit, 2 primes)",
      "rsa-4096.key: Private-Key: (4096 bit, 2 primes)",
    ]);
    const publicPairs = kinds.map((kind) => kind.replace(/:.*/, "")).map((name) => {
      const publicName = name.replace(/key$/, "pub");
      const wanted = openssl("pkey", "-in", join(made.keysDirectory, name), "-pubout");
      assert.equal(readFileSync(join(made.keysDirectory, publicName), "utf8"), wanted);
      return [name, publicName];
    });
    assert.deepEqual(names, publicPairs.flat().sort());
    assert.deepEqual(readdirSync(target).sort(), [".keyless-dev", "keys", "tls"]);
  });

  test("keeps no key of the authority", async () => {
    const { ca } = await prepareWithoutKeys();
    assert.deepEqual(readdirSync(join(ca, "..")).sort(), [
      "ca.pem",
      "client-key.pem",
      "client.pem",
      "server-key.pem",
      "server.pem",
    ]);
    const caKey = openssl("x509", "-in", ca, "-noout", "-pubkey");
    for (const name of ["server-key.pem", "client-key.pem"]) {
      assert.notEqual(openssl("pkey", "-in", join(ca, "..", name), "-pubout"), caKey);
    }
  });

  test("two runs at once agree on the same certificates", async () => {
    const found = await Promise.all([prepareWithoutKeys(), prepareWithoutKeys()]);
    assert.equal(found.filter(({ created }) => created).length, 1);
    const { ca, serverCertificate, clientCertificate } = found[0];
    openssl("verify", "-CAfile", ca, serverCertificate, clientCertificate);
    assert.deepEqual(readdirSync(target).sort(), [".keyless-dev", "keys", "tls"]);
  });
});

describe("prepareDevDirectory, another time", () => {
  test("uses what is there, and keys that the user added or took away", async () => {
    const first = await prepareWithoutKeys();
    writeFileSync(join(first.keysDirectory, "mine.key"), "mine");
    const before = readFileSync(first.serverCertificate, "utf8");
    const second = await prepareDevDirectory(`${target}/`);
    assert.deepEqual(second, { ...first, created: false });
    assert.equal(readFileSync(second.serverCertificate, "utf8"), before);
    assert.deepEqual(readdirSync(second.keysDirectory), ["mine.key"]);
  });

  test("gives keys that lack it their public half, and overlooks what it cannot read", async () => {
    const { keysDirectory } = await prepareWithoutKeys();
    const key = join(keysDirectory, "p256.key");
    openssl("genpkey", "-quiet", "-algorithm", "EC", "-pkeyopt", P256, "-out", key);
    writeFileSync(join(keysDirectory, "p384.key"), "broken");
    const told: string[] = [];
    const { created } = await prepareDevDirectory(target, (directory) => told.push(directory));
    assert.deepEqual(readdirSync(keysDirectory).sort(), ["p256.key", "p256.pub", "p384.key"]);
    const text = readFileSync(join(keysDirectory, "p256.pub"), "utf8");
    assert.equal(text, openssl("pkey", "-in", key, "-pubout"));
    assert.equal(created, false);
    assert.deepEqual(told, []);
  });

  test("makes certificates anew that have expired, and leaves the keys alone", async () => {
    const first = await prepareWithoutKeys();
    writeFileSync(join(first.keysDirectory, "mine.key"), "mine");
    const authority = await Authority.create("old");
    const old = await authority.issue({
      commonName: "old",
      usages: ["client"],
      notAfter: new Date(Date.now() - 1_000),
    });
    writeFileSync(first.clientCertificate, old.certificatePem);
    const second = await prepareDevDirectory(target);
    assert.deepEqual(second, first);
    openssl("verify", "-CAfile", second.ca, second.serverCertificate, second.clientCertificate);
    assert.deepEqual(readdirSync(second.keysDirectory), ["mine.key"]);
    assert.deepEqual(readdirSync(target).sort(), [".keyless-dev", "keys", "tls"]);
  });

  test("makes certificates anew where a file is missing or broken", async () => {
    const { ca, clientKey, clientCertificate } = await prepareWithoutKeys();
    rmSync(clientKey);
    assert.equal((await prepareDevDirectory(target)).created, true);
    openssl("pkey", "-in", clientKey, "-noout");
    writeFileSync(clientCertificate, "broken");
    assert.equal((await prepareDevDirectory(target)).created, true);
    openssl("verify", "-CAfile", ca, clientCertificate);
    assert.equal((await prepareDevDirectory(target)).created, false);
  });

  test("makes certificates anew where a key is cut short or another's", async () => {
    const { serverKey, serverCertificate, clientKey } = await prepareWithoutKeys();
    writeFileSync(serverKey, readFileSync(serverKey).subarray(0, 100));
    assert.equal((await prepareDevDirectory(target)).created, true);
    const publicKey = openssl("x509", "-in", serverCertificate, "-noout", "-pubkey");
    assert.equal(openssl("pkey", "-in", serverKey, "-pubout"), publicKey);
    writeFileSync(clientKey, readFileSync(serverKey));
    assert.equal((await prepareDevDirectory(target)).created, true);
    assert.equal((await prepareDevDirectory(target)).created, false);
  });

  test("removes what killed runs have left, but not what may still be made", async () => {
    await prepareWithoutKeys();
    const hours = (count: number) => Date.now() / 1_000 - count * 3_600;
    for (const [name, age] of [[".tls-old", 2], [".keys-old", 2], [".keys-new", 0.9]] as const) {
      mkdirSync(join(target, name));
      writeFileSync(join(target, name, "p256.key"), "half");
      utimesSync(join(target, name), hours(age), hours(age));
    }
    mkdirSync(join(target, ".other-old"));
    utimesSync(join(target, ".other-old"), hours(2), hours(2));
    await prepareDevDirectory(target);
    const kept = [".keyless-dev", ".keys-new", ".other-old", "keys", "tls"];
    assert.deepEqual(readdirSync(target).sort(), kept);
  });

  test("an interrupted first run is finished: its half-made parts do not count", async () => {
    mkdirSync(join(target, ".tls-abc123"), { recursive: true, mode: 0o700 });
    chmodSync(target, 0o700);
    writeFileSync(join(target, ".tls-abc123", "ca.pem"), "half");
    const { ca, created, serverCertificate } = await prepareWithoutKeys();
    assert.equal(created, true);
    openssl("verify", "-CAfile", ca, serverCertificate);
  });
});

describe("findDevDirectory", () => {
  function finds(pattern: RegExp): Promise<void> {
    return assert.rejects(findDevDirectory(target), (error) => {
      assert.ok(error instanceof KeylessError);
      assert.equal(error.code, "DEV_DIRECTORY");
      assert.match(error.message, pattern);
      return true;
    });
  }

  test("finds what a server has made, and changes nothing", async () => {
    const made = await prepareWithoutKeys();
    const before = readFileSync(made.clientCertificate, "utf8");
    assert.deepEqual(await findDevDirectory(`${target}/`), { ...made, created: false });
    assert.equal(readFileSync(made.clientCertificate, "utf8"), before);
  });

  test("makes none, and says where to run", async () => {
    await finds(/dev is not there; run this where `keyless serve --dev` runs, or name another/);
    assert.deepEqual(readdirSync(base), []);
    mkdirSync(target, { mode: 0o700 });
    await finds(/dev was not made by --dev; run this where `keyless serve --dev` runs/);
    assert.deepEqual(readdirSync(target), []);
  });

  test("renews nothing: it says that serve does", async () => {
    const { clientKey, keysDirectory } = await prepareWithoutKeys();
    writeFileSync(clientKey, "broken");
    await finds(
      /lacks keys, or certificates that are valid today; start its `keyless serve --dev`/,
    );
    assert.equal(readFileSync(clientKey, "utf8"), "broken");
    await prepareDevDirectory(target);
    rmSync(keysDirectory, { recursive: true });
    await finds(/lacks keys, or certificates that are valid today/);
  });

  test("trusts only a directory that is ours and closed to others", async () => {
    await prepareWithoutKeys();
    chmodSync(target, 0o755);
    await finds(/is open to others \(mode 0755\); chmod 700 it/);
    rmSync(target, { recursive: true });
    symlinkSync("elsewhere", target);
    await finds(/is a symbolic link/);
  });
});

describe("prepareDevDirectory refuses", () => {
  test("a symbolic link, also with a slash at its end", async () => {
    mkdirSync(join(base, "elsewhere"), { mode: 0o700 });
    symlinkSync("elsewhere", target);
    await refuses(/is a symbolic link/);
    await assert.rejects(prepareDevDirectory(`${target}/`), /is a symbolic link/);
    assert.deepEqual(readdirSync(join(base, "elsewhere")), []);
  });

  test("a directory that others can enter", async () => {
    for (const mode of [0o755, 0o710, 0o701]) {
      rmSync(target, { recursive: true, force: true });
      mkdirSync(target);
      chmodSync(target, mode);
      await refuses(new RegExp(`is open to others \\(mode 0${mode.toString(8)}\\); chmod 700 it`));
      assert.deepEqual(readdirSync(target), []);
    }
  });

  test("a directory with other files, which it does not touch", async () => {
    mkdirSync(join(target, "tls"), { recursive: true });
    chmodSync(target, 0o700);
    await refuses(/holds other files/);
    assert.deepEqual(readdirSync(target), ["tls"]);
  });

  test("a file, and a place below a file", async () => {
    writeFileSync(target, "");
    await refuses(/is not a directory/);
    target = join(target, "below");
    await refuses(/not a directory|file already exists/);
  });

  test("a directory of another user (which only root can make: else, that root is not us)", async () => {
    if (process.getuid?.() === 0) {
      mkdirSync(target, { mode: 0o700 });
      chownSync(target, 65_534, 65_534);
      await refuses(/belongs to another user \(uid 65534\)/);
    } else {
      target = "/root";
      await refuses(/belongs to another user \(uid 0\)/);
    }
  });
});
