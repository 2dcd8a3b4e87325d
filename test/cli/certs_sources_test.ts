import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { chmodSync, mkdirSync, symlinkSync, truncateSync } from "node:fs";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { createServer, type TlsOptions } from "node:tls";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { readSources, type SourceOptions, type SourceResult } from "../../cli/certs/sources.ts";
import { createContext, isHost } from "../../cli/certs/sources_host.ts";
import { Authority, type Issued } from "../../src/pki/authority.ts";
import { toHex } from "../../src/bytes/hex.ts";
import { readCertificates } from "../../src/pki/certificates.ts";
import { selectEngine } from "../../src/crypto/select_engine.ts";
import { MAX_FILE_BYTES } from "../../src/keystore/read_file.ts";
import { resultOf } from "../support/cli.ts";
import { genpkey, openssl } from "../support/openssl.ts";
import { closedPort, plainServer } from "../support/plain_server.ts";
import { makeTempDir, type TempDir } from "../support/temp_dir.ts";

const SLOW = { timeout: 30_000 };
const OPTIONS: SourceOptions = { timeoutMs: 5_000, engine: selectEngine("auto") };

async function read(sources: readonly string[], options = OPTIONS): Promise<SourceResult[]> {
  return await Array.fromAsync(readSources(sources, options));
}

/** What a source has, in a line: "a.pem: leaf, authority" or "a.pem: CODE". */
function lineOf(result: SourceResult): string {
  if ("error" in result) return `${result.source}: ${result.error.code}`;
  const { certificates, problems } = result.bundle;
  const names = certificates.map(({ subject }) => subject.replace("CN=", ""));
  return `${result.source}: ${[...names, ...problems.map(({ code }) => code)].join(", ")}`;
}

async function lines(sources: readonly string[], options = OPTIONS): Promise<string[]> {
  return (await read(sources, options)).map(lineOf);
}

/** The message of the one result, which is an error. */
async function refusal(source: string, options = OPTIONS): Promise<string> {
  const [result, ...others] = await read([source], options);
  assert.equal(others.length, 0);
  assert.ok(result !== undefined && "error" in result, JSON.stringify(result));
  assert.equal(result.source, source);
  assert.ok(result.error.message.includes(source), result.error.message);
  return result.error.message;
}

let authority: Authority;
let leaf: Issued;
let dir: TempDir;

before(async () => {
  authority = await Authority.create("authority");
  leaf = await authority.issue({ commonName: "leaf", usages: ["server"], names: ["localhost"] });
  dir = makeTempDir();
});
after(() => dir.remove());

describe("files", () => {
  test("a file is read as it is named, with all that it holds", async () => {
    const chain = dir.write("chain.txt", leaf.certificatePem + authority.certificatePem);
    assert.deepEqual(await lines([chain]), [`${chain}: leaf, authority`]);
    const key = dir.write("leaf.key", leaf.keyPem);
    const [result] = await read([key]);
    assert.ok(result !== undefined && "bundle" in result);
    assert.deepEqual(result.bundle.certificates, []);
  });

  test("a source that is named twice is read once, others in their order", async () => {
    const one = dir.write("one.crt", leaf.certificatePem);
    const two = dir.write("two.crt", authority.certificatePem);
    assert.deepEqual(await lines([two, one, two]), [`${two}: authority`, `${one}: leaf`]);
  });

  test("each file that cannot be read is an error that names it; the others still come", async () => {
    const good = dir.write("good.crt", leaf.certificatePem);
    const empty = dir.write("empty.crt", "");
    const text = dir.write("text.crt", "no certificate\n");
    const cut = dir.write("cut.crt", leaf.certificatePem.slice(0, 200));
    const missing = dir.at("missing.crt");
    assert.deepEqual(await lines([empty, text, cut, missing, good, ""]), [
      `${empty}: CERTIFICATE_FORMAT`,
      `${text}: CERTIFICATE_FORMAT`,
      `${cut}: CERTIFICATE_FORMAT`,
      `${missing}: FILE_READ`,
      `${good}: leaf`,
      ": FILE_READ",
    ]);
  });

  test("gigabytes, FIFOs and devices are refused without being read", SLOW, async () => {
    const huge = dir.write("huge.pem", "");
    truncateSync(huge, 3 * 2 ** 30);
    assert.match(await refusal(huge), /is too large: 3221225472 bytes/);
    const fifo = dir.at("fifo.pem");
    execFileSync("mkfifo", [fifo]);
    assert.match(await refusal(fifo), /is a FIFO/);
    assert.match(await refusal("/dev/zero"), /is a device/);
  });

  test("the largest file that is read, and one byte more", SLOW, async () => {
    const room = MAX_FILE_BYTES - leaf.certificatePem.length;
    const largest = dir.write("largest.pem", " ".repeat(room) + leaf.certificatePem);
    assert.deepEqual(await lines([largest]), [`${largest}: leaf`]);
    const larger = dir.write("larger.pem", " ".repeat(room + 1) + leaf.certificatePem);
    assert.match(await refusal(larger), /is too large/);
  });

  test("a certificate that is broken beside a good one does not hide it", async () => {
    const broken = authority.certificatePem.replace(/\n.{8}/, "\nAAAAAAAA");
    const both = dir.write("both.pem", broken + leaf.certificatePem);
    assert.deepEqual(await lines([both]), [`${both}: leaf, CERTIFICATE_FORMAT`]);
  });

  test("a name that looks like a server's is told how servers are written", async () => {
    assert.match(
      await refusal("keys.example.net"),
      /if it is a server, write keys.example.net:443/,
    );
    assert.match(await refusal("leaf.pem"), /no such file[^;]*$/);
  });
});

describe("directories and patterns", () => {
  let tree: TempDir;
  before(() => {
    tree = makeTempDir();
    const der = openssl(["x509", "-outform", "DER"], new TextEncoder().encode(leaf.certificatePem));
    tree.write("b.PEM", leaf.certificatePem);
    tree.write("a.crt", authority.certificatePem + leaf.certificatePem);
    tree.write("c.cer", der);
    tree.write("key.pem", leaf.keyPem);
    tree.write(
      "encrypted.pem",
      genpkey(
        ...["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        ...["-aes-128-cbc", "-pass", "pass:secret"],
      ),
    );
    tree.write(
      "key.der",
      openssl(["pkey", "-outform", "DER"], new TextEncoder().encode(leaf.keyPem)),
    );
    tree.write("params.pem", openssl(["ecparam", "-name", "prime256v1"]));
    tree.write("notes.txt", leaf.certificatePem);
    tree.write(".hidden.pem", leaf.certificatePem);
    mkdirSync(tree.at("sub.pem"));
    symlinkSync("a.crt", tree.at("link.crt"));
  });
  after(() => tree.remove());

  test("of a directory come the files that are named like certificates and hold one, sorted", async () => {
    const expected = [
      `${tree.path}/a.crt: authority, leaf`,
      `${tree.path}/b.PEM: leaf`,
      `${tree.path}/c.cer: leaf`,
      `${tree.path}/link.crt: authority, leaf`,
    ];
    assert.deepEqual(await lines([tree.path]), expected);
    assert.deepEqual(await lines([`${tree.path}/`]), expected);
  });

  test("a broken certificate in a directory is an error", async () => {
    const broken = makeTempDir();
    broken.write("good.pem", leaf.certificatePem);
    broken.write("bad.pem", leaf.certificatePem.replace(/\n.{8}/, "\nAAAAAAAA"));
    broken.write("empty.crt", "");
    symlinkSync("nowhere", broken.at("stale.pem"));
    assert.deepEqual(await lines([broken.path]), [
      `${broken.path}/bad.pem: CERTIFICATE_FORMAT`,
      `${broken.path}/empty.crt: CERTIFICATE_FORMAT`,
      `${broken.path}/good.pem: leaf`,
      `${broken.path}/stale.pem: FILE_READ`,
    ]);
    broken.remove();
  });

  test("a directory without a certificate is an error, and so is one that cannot be listed", async () => {
    const bare = makeTempDir();
    bare.write("key.pem", leaf.keyPem);
    assert.match(await refusal(bare.path), /none of its files holds a certificate/);
    if (process.getuid?.() !== 0) {
      chmodSync(bare.path, 0);
      assert.match(await refusal(bare.path), /cannot be listed: permission denied/);
      chmodSync(bare.path, 0o700);
    }
    bare.remove();
  });

  test("a pattern gives the files that match and hold certificates", async () => {
    assert.deepEqual(await lines([tree.at("*.{pem,crt,txt}")]), [
      `${tree.path}/a.crt: authority, leaf`,
      `${tree.path}/link.crt: authority, leaf`,
      `${tree.path}/notes.txt: leaf`,
    ]);
    assert.match(await refusal(tree.at("no*such")), /no file has a name like that/);
    assert.match(await refusal(tree.at("key.*")), /none of its files holds a certificate/);
  });

  test("a file whose name looks like a pattern or a server is that file", async () => {
    const odd = makeTempDir();
    const star = odd.write("*.crt", leaf.certificatePem);
    const port = odd.write("localhost:443", leaf.certificatePem);
    assert.deepEqual(await lines([star, port]), [`${star}: leaf`, `${port}: leaf`]);
    odd.remove();
  });
});

test("a name with a port or a scheme is a server's; paths and patterns are none", () => {
  const port = fc.integer({ min: 0, max: 99_999 });
  const name = fc.stringMatching(/^[a-z0-9.-]{1,30}$/);
  const ipv6 = fc.ipV6().map((address) => `[${address}]`);
  fc.assert(fc.property(fc.oneof(name, ipv6), port, (host, port) => {
    assert.equal(isHost(`${host}:${port}`), true);
    assert.equal(isHost(`tls://${host}`), true);
    assert.equal(isHost(`./${host}:${port}`), false);
    assert.equal(isHost(`${host}*:${port}`), false);
    assert.equal(isHost(host), false);
  }));
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    if (!text.includes(":")) assert.equal(isHost(text), false);
    else assert.equal(typeof isHost(text), "boolean");
  }));
});

describe("servers", () => {
  /** A TLS server that presents what it is given; its port. */
  async function listen(
    options: TlsOptions,
    use: (port: number) => Promise<void>,
    path?: string,
  ): Promise<void> {
    const server = createServer(options, (socket) => {
      socket.on("error", () => {});
      socket.resume();
    });
    server.on("tlsClientError", () => {});
    server.listen(path ?? { port: 0, host: "127.0.0.1" });
    await once(server, "listening");
    try {
      await use(path === undefined ? (server.address() as AddressInfo).port : 0);
    } finally {
      server.close();
    }
  }

  const own = () => ({ cert: leaf.certificatePem, key: leaf.keyPem });

  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    test(
      `${version}: the chain comes as it is presented, in its order, however odd`,
      SLOW,
      async () => {
        const stranger = await Authority.create("stranger");
        const cert = leaf.certificatePem + stranger.certificatePem + authority.certificatePem;
        await listen({ ...own(), cert, minVersion: version, maxVersion: version }, async (port) => {
          const source = `127.0.0.1:${port}`;
          const [result] = await read([source]);
          assert.ok(result !== undefined && "bundle" in result);
          assert.equal(lineOf(result), `${source}: leaf, stranger, authority`);
          assert.deepEqual(result.warnings, []);
          const shown = result.bundle.certificates.map(({ der }) => toHex(der));
          assert.deepEqual(shown, await shownToOpenssl(source));
        });
      },
    );
  }

  /** The certificates, DER in hexadecimal, that `openssl s_client` is shown. */
  async function shownToOpenssl(source: string): Promise<string[]> {
    const child = spawn("openssl", ["s_client", "-connect", source, "-showcerts"]);
    child.stdin.end();
    const { stdout } = await resultOf(child);
    return readCertificates(new TextEncoder().encode(stdout)).map(({ der }) => toHex(der));
  }

  test("IPv6, tls:// and UNIX sockets name servers too", SLOW, async () => {
    await listen(own(), async (port) => {
      assert.deepEqual(await lines([`tls://127.0.0.1:${port}`]), [`127.0.0.1:${port}: leaf`]);
    });
    const path = dir.at("tls.sock");
    await listen(own(), async () => {
      assert.deepEqual(await lines([`unix:${path}`]), [`unix:${path}: leaf`]);
    }, path);
    const port = await closedPort();
    assert.match(await refusal(`[::1]:${port}`), /connection refused|cannot be reached/);
  });

  test("--server-name chooses among the certificates of a server", SLOW, async () => {
    const other = await authority.issue({ commonName: "other", usages: ["server"] });
    const asked: string[] = [];
    const options: TlsOptions = {
      ...own(),
      SNICallback: (name, done) => {
        asked.push(name);
        done(null);
      },
    };
    await listen({ ...options, cert: other.certificatePem, key: other.keyPem }, async (port) => {
      const named = { ...OPTIONS, serverName: "keys.example" };
      assert.deepEqual(await lines([`127.0.0.1:${port}`], named), [`127.0.0.1:${port}: other`]);
      assert.deepEqual(asked, ["keys.example"]);
    });
  });

  test(
    "a server that wants a client certificate shows its own, and the refusal is told",
    SLOW,
    async () => {
      const clients = await Authority.create("authority of clients");
      const mutual: TlsOptions = {
        ...own(),
        ca: clients.certificatePem,
        requestCert: true,
        rejectUnauthorized: true,
        minVersion: "TLSv1.3",
      };
      await listen(mutual, async (port) => {
        const source = `127.0.0.1:${port}`;
        const [without] = await read([source]);
        assert.ok(without !== undefined && "bundle" in without);
        assert.match(lineOf(without), /: leaf\b/); // Deno's servers present `ca` as well
        assert.equal(without.warnings.length, 1);
        assert.match(
          without.warnings[0]!,
          /127\.0\.0\.1:\d+.*alert "certificate required".*give --cert and --key/,
        );
        const client = await clients.issue({ commonName: "client", usages: ["client"] });
        const clientContext = createContext({ cert: client.certificatePem, key: client.keyPem });
        const [withOne] = await read([source], { ...OPTIONS, clientContext });
        assert.ok(withOne !== undefined && "bundle" in withOne);
        assert.match(lineOf(withOne), /: leaf\b/);
        assert.deepEqual(withOne.warnings, []);
      });
    },
  );

  test("what is closed, no TLS, or no host says so", SLOW, async () => {
    assert.match(await refusal(`127.0.0.1:${await closedPort()}`), /connection refused/);
    using http = await plainServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    assert.match(await refusal(`127.0.0.1:${http.port}`), /TLS/);
    using closing = await plainServer((socket) => socket.destroy());
    assert.match(await refusal(`127.0.0.1:${closing.port}`), /TLS/);
    assert.match(await refusal("localhost:99999"), /the port is a number from 1 to 65535/);
    assert.match(await refusal("https://localhost/"), /leave out the scheme/);
    assert.match(await refusal(`unix:${dir.at("none.sock")}`), /no such socket/);
  });

  test(
    "servers that hang are given up at the deadline, all at once, and hold no other",
    SLOW,
    async () => {
      using silent = await plainServer(() => {});
      using halfway = await plainServer((socket) => {
        socket.write(new Uint8Array([22, 3, 3, 0x40, 0, 2]));
      });
      const hanging = [`127.0.0.1:${silent.port}`, `127.0.0.1:${halfway.port}`];
      await listen(own(), async (port) => {
        const startMs = performance.now();
        const found = await lines([...hanging, `127.0.0.1:${port}`], {
          ...OPTIONS,
          timeoutMs: 400,
        });
        const tookMs = performance.now() - startMs;
        assert.deepEqual(found, [
          ...hanging.map((each) => `${each}: CONNECT`),
          `127.0.0.1:${port}: leaf`,
        ]);
        assert.ok(tookMs >= 390 && tookMs < 3_000, `${tookMs} ms`);
      });
      assert.match(
        await refusal(hanging[0]!, { ...OPTIONS, timeoutMs: 200 }),
        /showed no certificate within 200 ms/,
      );
    },
  );

  test("many servers are asked a few at a time", SLOW, async () => {
    let open = 0;
    let most = 0;
    const servers = await Promise.all(Array.from({ length: 20 }, () =>
      plainServer((socket) => {
        most = Math.max(most, ++open);
        socket.resume();
        socket.once("close", () => open--);
      })));
    const sources = servers.map(({ port }) => `127.0.0.1:${port}`);
    const found = await lines(sources, { ...OPTIONS, timeoutMs: 100 });
    assert.deepEqual(found, sources.map((source) => `${source}: CONNECT`));
    assert.ok(most >= 2 && most <= 16, `${most} at a time`);
    for (const server of servers) server[Symbol.dispose]();
  });
});
