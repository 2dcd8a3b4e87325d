/** Keys in PKCS#11 tokens: what clients get, and what the operator is told. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { after, afterEach, before, describe, test } from "node:test";
import { describePublicKey } from "../../src/crypto/public_key.ts";
import { type Scheme, SCHEMES, type SignScheme } from "../../src/crypto/scheme.ts";
import { digestOf } from "../../src/crypto/verify.ts";
import { HsmServe, newDigest } from "../support/hsm_serve.ts";
import {
  type KeyKind,
  keyOf,
  makeKey,
  openssl,
  opensslVerifies,
  publicKeyOf,
} from "../support/openssl.ts";
import { PROGRAM_NAMES } from "../support/running_server.ts";
import { runExecutable } from "../support/cli.ts";
import { makeSlowModule } from "../support/slow_module.ts";
import { makeSoftHsm, PIN } from "../support/softhsm.ts";

const KINDS = ["RSA 2048", "P-256", "P-384", "Ed25519"] as const satisfies KeyKind[];
const MESSAGE = new TextEncoder().encode("hello");
const STATUS = ["--status", "http://127.0.0.1:0"];
const SLOW = { timeout: 30_000 };

let serve: HsmServe;
before(async () => {
  const hsm = makeSoftHsm();
  hsm.addToken("prod");
  for (const [index, kind] of KINDS.entries()) {
    hsm.importKey("prod", keyOf(kind), { label: kind, id: `0${index + 1}` });
  }
  serve = await HsmServe.create(hsm);
  serve.fixture.directory.write("soft.key", keyOf("P-521"));
});
afterEach(() => serve.fixture.killServer());
after(() => serve.remove());

const skiOf = (kind: KeyKind) => describePublicKey(publicKeyOf(keyOf(kind))).ski;
const all = () => `uri: ${serve.uri("token=prod", "&max-sessions=3")}`;

for (const program of PROGRAM_NAMES) {
  describe(`keys in a token, served by ${program}`, () => {
    test(
      "sign every scheme that fits them, beside keys in files; openssl verifies",
      SLOW,
      async () => {
        const stores = [all(), "file: soft.key"];
        const server = await serve.start(stores, ["--workers", "2", "--verify-hsm"], { program });
        const client = serve.fixture.connect({ port: server.port });
        for (const kind of [...KINDS, "P-521"] as const) {
          for (const scheme of schemesOf(kind)) {
            const bytes = digestOf(scheme, MESSAGE);
            const signature = await client.sign({ ski: skiOf(kind) }, scheme, bytes);
            const isRight = opensslVerifies(publicKeyOf(keyOf(kind)), scheme, bytes, signature);
            assert.ok(isRight, `${kind} ${scheme}`);
          }
        }
        const [block, encrypted] = encryptedBlock();
        assert.deepEqual(await client.decrypt({ ski: skiOf("RSA 2048") }, encrypted), block);
        client.close();
        server.signal("SIGTERM");
        assert.equal(await server.ended, 0);
        assert.deepEqual(server.lines.filter(({ level }) => level === "error"), []);
      },
    );
  });
}

describe("a server with keys in a token", () => {
  test(
    "answers error 1 to a block that is not below the modulus, and serves on",
    SLOW,
    async () => {
      const server = await serve.start([all()], STATUS);
      const client = serve.fixture.connect({ port: server.port });
      const query = { ski: skiOf("RSA 2048") };
      await assert.rejects(client.decrypt(query, new Uint8Array(256).fill(255)), /cryptography/);
      await assert.rejects(client.sign(query, "ecdsa-sha256", newDigest()), /cryptography/);
      await client.sign(query, "rsa-sha256", newDigest());
      client.close();
      const [token] = (await statusOf(server.lines)).hsm;
      assert.deepEqual(token.errors, {}, "the token was not asked");
    },
  );

  test("opens no more than max-sessions in all, however many workers ask", SLOW, async () => {
    const server = await serve.start([all()], ["--workers", "4", ...STATUS]);
    const clients = Array.from({ length: 4 }, () => serve.fixture.connect({ port: server.port }));
    const sign = async (client: typeof clients[number]) => {
      for (let n = 0; n < 8; n++) {
        await client.sign({ ski: skiOf("RSA 2048") }, "rsa-sha256", newDigest());
      }
    };
    await Promise.all(clients.flatMap((client) => [client, client, client, client].map(sign)));
    const status = await statusOf(server.lines);
    const [token] = status.hsm;
    assert.equal(token.token, "prod");
    assert.equal(token.state, "up");
    assert.equal(token.sessions_limit, 2, "one of three keeps the login");
    assert.equal(token.sessions_largest, 2);
    assert.deepEqual(token.errors, {});
    const keys = status.keys["uri:pkcs11:token=prod"];
    assert.deepEqual(keys, { "RSA 2048": 1, "EC P-256": 1, "EC P-384": 1, "Ed25519": 1 });
    for (const client of clients) client.close();
  });

  test("does not use a key whose public half on the token is another's", SLOW, async () => {
    const { hsm } = serve;
    hsm.addToken("mixed");
    hsm.importKey("mixed", keyOf("P-256"), { label: "right", id: "01" });
    hsm.importKey("mixed", keyOf("P-384"), { label: "wrong", id: "02" });
    hsm.tool("mixed", "--delete-object", "--type", "pubkey", "--id", "02");
    const other = makeKey("P-384");
    const key = hsm.dir.write("other.key", other);
    const request = ["req", "-x509", "-key", key, "-subj", "/CN=other", "-outform", "DER"];
    const certificate = hsm.dir.write("other.der", openssl(request));
    hsm.tool("mixed", "--write-object", certificate, "--type", "cert", "--id", "02");
    const server = await serve.start([`uri: ${serve.uri("token=mixed")}`]);
    const failed = await server.event("key_failed");
    assert.equal(failed["path"], "pkcs11:token=mixed");
    assert.equal(failed["key"], '"wrong" (id=%02)');
    assert.match(`${failed["why"]}`, /do not verify, and is not used any more; .*another key's/);
    const client = serve.fixture.connect({ port: server.port });
    const query = { ski: describePublicKey(publicKeyOf(other)).ski };
    await assert.rejects(client.sign(query, "ecdsa-sha256", newDigest()), /cryptography/);
    await client.sign({ ski: skiOf("P-256") }, "ecdsa-sha256", newDigest());
    client.close();
  });

  test("shows its PIN nowhere: log, configuration, process titles", SLOW, async () => {
    const store = `uri: ${serve.uri("token=prod").replace(/pin-source=[^&]*/, `pin-value=${PIN}`)}`;
    const server = await serve.start([store], ["--loglevel", "0"]);
    const client = serve.fixture.connect({ port: server.port });
    await client.sign({ ski: skiOf("P-256") }, "ecdsa-sha256", newDigest());
    client.close();
    const titles = readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(commandLine);
    assert.ok(titles.some((title) => title.includes("pkcs11-module")));
    assert.ok(titles.every((title) => !title.includes(PIN)));
    const shown = await runExecutable(["config", "show", "--config-file", "hsm.yaml"], {
      cwd: serve.fixture.directory.path,
    });
    assert.match(shown.stdout, /uri:pkcs11:token=prod/);
    const said = [server.stderr, server.stdout, shown.stdout, shown.stderr].join();
    assert.ok(!said.includes(PIN));
  });
});

describe("a server whose PIN stands in a variable", () => {
  test("hands it to no module, and what a module prints of it is not logged", SLOW, async () => {
    const shim = makeSlowModule(serve.hsm);
    shim.failLogins("print");
    const uri = `uri: pkcs11:token=prod?module-path=${shim.path}&pin-source=env:TOKEN_SECRET`;
    const server = await serve.start([uri], [], { env: { ...shim.env, TOKEN_SECRET: PIN } });
    await server.event("hsm_output", ({ line }) => line === "that was the PIN");
    const dump = Buffer.from(PIN).toString("hex").replace(/..(?=.)/g, "$& ");
    assert.ok(!server.stderr.includes(PIN) && !server.stderr.toLowerCase().includes(dump));
    const [child] = childrenOf(server.pid);
    assert.ok(commandLine(child!).includes("pkcs11-module"));
    if (process.getuid?.() !== 0) return; // nobody else may look into it
    const environment = readFileSync(`/proc/${child}/environ`, "utf8");
    assert.match(environment, /SLOW_MODULE_REAL=/);
    assert.doesNotMatch(environment, /TOKEN_SECRET=/);
  });
});

test(
  "what the sessions of tokens take is left out of the connections that may be",
  SLOW,
  async () => {
    const uri = `uri: ${serve.uri("token=prod", "&max-sessions=128")}`;
    const server = await serve.start([uri], ["--metrics-port", "off", "--workers", "2"], {
      before: "ulimit -n 500",
    });
    const { msg } = await server.event("open_files");
    const connections = Number(/allows (\d+) connections/.exec(String(msg))?.[1]);
    const open = readdirSync(`/proc/${server.pid}/fd`).length;
    assert.ok(connections > 200 && connections + open <= 500, `${connections} beside ${open}`);
  },
);

describe("a server does not start, with exit code 2, where", () => {
  const refusal = (store: string) =>
    serve.fixture.refusal(serve.configure([store]), { env: serve.hsm.env });

  test(
    "the PIN is wrong, and tries it once, however many entries name the token",
    SLOW,
    async () => {
      serve.hsm.addToken("counted");
      for (const [id, kind] of [["01", "P-256"], ["02", "P-384"]] as const) {
        serve.hsm.importKey("counted", keyOf(kind), { label: kind, id });
      }
      const shim = makeSlowModule(serve.hsm);
      const before = shim.logins();
      const wrong = serve.fixture.directory.write("wrong-pin", "wrong-9876\n");
      const entry = (id: string) =>
        `uri: pkcs11:token=counted;id=%${id}?module-path=${shim.path}&pin-source=${wrong}`;
      const args = serve.configure([entry("01"), entry("02")]);
      const stderr = await serve.fixture.refusal(args, { env: shim.env });
      assert.equal(shim.logins(), before + 1);
      assert.match(stderr, /the token \\?"counted\\?" refused the PIN, which is not tried again/);
      assert.ok(!stderr.includes("wrong-9876"));
    },
  );

  test("a token answers anything to its PIN, which is tried once", SLOW, async () => {
    const shim = makeSlowModule(serve.hsm);
    const before = shim.logins();
    shim.failLogins(0x80000001);
    const args = serve.configure([`uri: ${serve.uri("token=prod", "", shim.path)}`]);
    const stderr = await serve.fixture.refusal(args, { env: shim.env });
    shim.failLogins();
    assert.match(stderr, /"prod\\?" may have refused the PIN: CKR_0x80000001/);
    assert.equal(shim.logins(), before + 1);
  });

  test("there are too few open files for the sessions", SLOW, async () => {
    const args = serve.configure([`uri: ${serve.uri("token=prod", "&max-sessions=256")}`]);
    const stderr = await serve.fixture.refusal(args, {
      env: serve.hsm.env,
      before: "ulimit -n 150",
    });
    assert.match(stderr, /cannot be started: .* takes 259 open files: .*ulimit -n.*max-sessions/);
  });

  for (
    const [what, path, rest, message] of [
      ["no such token is there", "token=nope", "", /no token fits pkcs11:token=nope; there is/],
      ["no such key is there", "token=prod;object=nope", "", /no private key that fits/],
      ["the URI names a public key", "token=prod;type=public", "", /names no private key/],
    ] as const
  ) {
    test(
      what,
      SLOW,
      async () => assert.match(await refusal(`uri: ${serve.uri(path, rest)}`), message),
    );
  }

  test("two keys fit where one is meant: both are named", SLOW, async () => {
    serve.hsm.addToken("twins");
    serve.hsm.importKey("twins", keyOf("P-256"), { label: "tls", id: "01" });
    serve.hsm.importKey("twins", keyOf("P-384"), { label: "tls", id: "02" });
    const stderr = await refusal(`uri: ${serve.uri("token=twins;object=tls")}`);
    assert.match(stderr, /2 private keys fit: .*id=%01.*id=%02.*; add id= or object=/);
  });

  test("the module is missing, or is none", SLOW, async () => {
    const missing = await refusal(`uri: ${serve.uri("token=prod", "", "/nowhere/lib.so")}`);
    assert.match(missing, /the PKCS#11 module \/nowhere\/lib.so cannot be opened/);
    const path = serve.fixture.directory.write("text.so", "hello");
    assert.match(await refusal(`uri: ${serve.uri("token=prod", "", path)}`), /as a PKCS#11 module/);
  });
});

function schemesOf(kind: KeyKind): readonly SignScheme[] {
  const type = kind.startsWith("RSA") ? "rsa" : kind.startsWith("P-") ? "ec" : "ed25519";
  return (Object.keys(SCHEMES) as Scheme[]).filter((scheme): scheme is SignScheme =>
    scheme !== "rsa-decrypt" && SCHEMES[scheme].keyType === type
  );
}

/** A raw block, and what RSA makes of it with the public key. */
function encryptedBlock(): readonly [block: Uint8Array, encrypted: Uint8Array] {
  const block = new Uint8Array(256).fill(7);
  block[0] = 0;
  const key = serve.fixture.directory.write("public.der", publicKeyOf(keyOf("RSA 2048")));
  const raw = ["-pkeyopt", "rsa_padding_mode:none"];
  const args = ["pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", ...raw, "-inkey", key];
  return [block, openssl(args, block)];
}

/** The processes that a process has started. */
function childrenOf(pid: number): readonly string[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean);
}

/** Of a process that may have ended. */
function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

// deno-lint-ignore no-explicit-any
async function statusOf(lines: readonly { readonly event: string }[]): Promise<any> {
  const line = lines.find(({ event }) => event === "status_listening") as { port?: number };
  return await (await fetch(`http://127.0.0.1:${line.port}/_status`)).json();
}
