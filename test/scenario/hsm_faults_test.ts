/** PKCS#11 tokens that go away, hang, crash or have too much to do: what clients notice. */
import assert from "node:assert/strict";
import { cpSync, renameSync } from "node:fs";
import { after, afterEach, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { describePublicKey } from "../../src/crypto/public_key.ts";
import { digestOf, verifySignature } from "../../src/crypto/verify.ts";
import type { KeylessClient } from "../../src/mod.ts";
import { HsmServe, newDigest } from "../support/hsm_serve.ts";
import { keyOf, makeKey, opensslVerifies, publicKeyOf } from "../support/openssl.ts";
import type { RunningServer } from "../support/running_server.ts";
import { makeSlowModule, type SlowModule } from "../support/slow_module.ts";
import { makeSoftHsm, softHsmPath } from "../support/softhsm.ts";

const SLOW = { timeout: 60_000 };

let serve: HsmServe;
let shim: SlowModule;
let sleepy: SlowModule;
before(async () => {
  const hsm = makeSoftHsm();
  hsm.addToken("prod");
  hsm.importKey("prod", keyOf("P-256"), { label: "tls", id: "01" });
  serve = await HsmServe.create(hsm);
  serve.fixture.directory.write("soft.key", keyOf("Ed25519"));
  shim = makeSlowModule(hsm);
});
afterEach(() => serve.fixture.killServer());
after(() => serve.remove());

const SPKI = publicKeyOf(keyOf("P-256"));
const IN_TOKEN = { ski: describePublicKey(SPKI).ski };
const IN_FILE = { ski: describePublicKey(publicKeyOf(keyOf("Ed25519"))).ski };

/** Signs in the token; the signature is right. */
async function sign(client: KeylessClient): Promise<void> {
  const digest = newDigest();
  const signature = await client.sign(IN_TOKEN, "ecdsa-sha256", digest);
  assert.ok(opensslVerifies(SPKI, "ecdsa-sha256", digest, signature));
}

function start(module: SlowModule | undefined, query = ""): Promise<RunningServer> {
  const stores = [`uri: ${serve.uri("token=prod", query, module?.path)}`, "file: soft.key"];
  const args = ["--workers", "2", "--status", "http://127.0.0.1:0"];
  return serve.start(stores, args, { env: module?.env ?? {} });
}

/** Asks with a key in a file until it is stopped; gives how long each answer took. */
function askBeside(client: KeylessClient): () => Promise<readonly number[]> {
  const took: number[] = [];
  let isOn = true;
  const loop = (async () => {
    while (isOn) {
      const sinceMs = performance.now();
      await client.sign(IN_FILE, "ed25519", newDigest());
      took.push(performance.now() - sinceMs);
      await sleep(2);
    }
  })();
  return async () => {
    isOn = false;
    await loop;
    return took.toSorted((a, b) => a - b);
  };
}

describe("a token that goes away", () => {
  test("under load costs errors alone, and is used again when it is back", SLOW, async () => {
    const server = await start(undefined, "&max-sessions=3");
    const client = serve.fixture.connect({ port: server.port });
    const stop = askBeside(client);
    await sign(client);
    const tokens = serve.hsm.dir.at("tokens");
    renameSync(tokens, `${tokens}.away`);
    await assert.rejects(untilItFails(() => sign(client)), /cryptography error/);
    await server.event("hsm_away");
    const sinceMs = performance.now();
    await assert.rejects(sign(client), /cryptography error/);
    assert.ok(performance.now() - sinceMs < 1_000, "it is refused at once");
    const [away] = (await statusOf(server)).hsm;
    assert.equal(away.state, "away");
    assert.ok(away.error.length > 0);
    renameSync(`${tokens}.away`, tokens);
    await server.event("hsm_back");
    await sign(client);
    const [back] = (await statusOf(server)).hsm;
    assert.equal(back.state, "up");
    assert.equal(back.error, undefined);
    const took = await stop();
    assert.ok(took.length > 10, "keys in files were served meanwhile");
    client.close();
    server.signal("SIGTERM");
    assert.equal(await server.ended, 0);
  });

  test("and is back with another key of the same name does not sign with that", SLOW, async () => {
    const hsm = makeSoftHsm();
    cpSync(serve.hsm.dir.at("tokens"), hsm.dir.at("tokens"), { recursive: true });
    for (const type of ["privkey", "pubkey"]) {
      hsm.tool("prod", "--delete-object", "--type", type, "--id", "01");
    }
    hsm.importKey("prod", makeKey("P-256"), { label: "tls", id: "01" });
    const server = await start(undefined);
    const client = serve.fixture.connect({ port: server.port });
    await sign(client);
    const tokens = serve.hsm.dir.at("tokens");
    renameSync(tokens, `${tokens}.away`);
    await assert.rejects(untilItFails(() => sign(client)));
    await server.event("hsm_away");
    renameSync(hsm.dir.at("tokens"), tokens);
    await server.event("hsm_back");
    await server.event("hsm_key_missing");
    await assert.rejects(sign(client), /cryptography error/);
    renameSync(tokens, hsm.dir.at("tokens"));
    renameSync(`${tokens}.away`, tokens);
    client.close();
    hsm.remove();
  });
});

test("a token that ends all sessions at once under load costs no request", SLOW, async () => {
  const server = await start(shim, "&max-sessions=4&min-sessions=3");
  const info = describePublicKey(SPKI);
  const clients = Array.from({ length: 4 }, () => serve.fixture.connect({ port: server.port }));
  const wrong: string[] = [];
  await Promise.all(
    clients.flatMap((client, place) =>
      Array.from({ length: 4 }, async (_, lane) => {
        for (let turn = 0; turn < 40; turn++) {
          if (place === 0 && lane === 0 && turn % 15 === 10) shim.fail("drop");
          const message = new TextEncoder().encode(`${place} ${lane} ${turn}`);
          const digest = digestOf("ecdsa-sha256", message);
          const signature = await client.sign(IN_TOKEN, "ecdsa-sha256", digest);
          if (!verifySignature(info, "ecdsa-sha256", message, signature)) wrong.push(`${turn}`);
        }
      })
    ),
  );
  assert.deepEqual(wrong, []);
  const [{ state, errors }] = (await statusOf(server)).hsm;
  assert.equal(state, "up");
  assert.ok(errors.CKR_SESSION_HANDLE_INVALID >= 2, JSON.stringify(errors));
  for (const client of clients) client.close();
});

describe("a module", () => {
  test("that crashes is replaced, and the request that it had is answered", SLOW, async () => {
    const server = await start(shim);
    const client = serve.fixture.connect({ port: server.port });
    await sign(client);
    const stop = askBeside(client);
    shim.fail("crash");
    await sign(client);
    const died = await server.event("hsm_process_died");
    assert.match(String(died["why"]), /SIGSEGV/);
    await sign(client);
    const took = await stop();
    assert.ok(took.at(-1)! < 500, `${took.at(-1)} ms`);
    client.close();
  });

  test("that hangs is replaced, and keys in files do not notice", SLOW, async () => {
    const server = await start(shim, "&wait=500ms");
    const client = serve.fixture.connect({ port: server.port });
    await sign(client);
    const stop = askBeside(client);
    shim.fail("hang");
    await sign(client);
    const died = await server.event("hsm_process_died");
    assert.match(String(died["why"]), /hangs: a signature did not return within 5 s/);
    const took = await stop();
    assert.ok(took.at(-1)! < 500, `${took.at(-1)} ms`);
    client.close();
  });
});

describe("a busy token", () => {
  before(() => sleepy = makeSlowModule(serve.hsm, { initMs: 20, signMs: 50 }));

  test(
    "answers 500 requests that wait, from all workers, in the time of its sessions",
    SLOW,
    async () => {
      const server = await start(sleepy, "&max-sessions=17&min-sessions=17");
      const clients = Array.from({ length: 4 }, () => serve.fixture.connect({ port: server.port }));
      await Promise.all(clients.map(sign));
      const stop = askBeside(clients[0]!);
      const sinceMs = performance.now();
      const digests = Array.from({ length: 500 }, newDigest);
      const signatures = await Promise.all(
        digests.map((digest, n) =>
          clients[n % clients.length]!.sign(IN_TOKEN, "ecdsa-sha256", digest)
        ),
      );
      const rounds = (performance.now() - sinceMs) / 70;
      assert.ok(500 / rounds >= 0.7 * 16, `${500 / rounds} signatures in 70 ms`);
      const took = await stop();
      assert.ok(took.at(Math.floor(took.length * 0.9))! < 50, `${took}`);
      for (const n of [0, 250, 499]) {
        assert.ok(opensslVerifies(SPKI, "ecdsa-sha256", digests[n]!, signatures[n]!));
      }
      const [{ sessions_largest, sessions_limit }] = (await statusOf(server)).hsm;
      assert.deepEqual([sessions_largest, sessions_limit], [16, 16]);
      for (const client of clients) client.close();
    },
  );

  test("answers error 1 where the wait is over, and counts it", SLOW, async () => {
    const server = await start(sleepy, "&max-sessions=2&wait=300ms");
    const client = serve.fixture.connect({ port: server.port });
    await sign(client);
    const asked = Array.from({ length: 30 }, () => sign(client).then(() => "", String));
    const errors = (await Promise.all(asked)).filter((error) => error !== "");
    assert.ok(errors.length > 5 && errors.length < 30, `${errors.length}`);
    assert.ok(errors.every((error) => /cryptography error/.test(error)), errors[0]);
    const failed = await server.event("request_failed");
    assert.match(String(failed["reason"]), /no session was free within \d+ ms/);
    const [{ exhausted, state }] = (await statusOf(server)).hsm;
    assert.equal(exhausted, errors.length);
    assert.equal(state, "up");
    const metrics = await (await fetch(`http://127.0.0.1:${server.metricsPort}/metrics`)).text();
    assert.match(
      metrics,
      new RegExp(`keyless_hsm_waits_exhausted_total{token="prod",serial="\\w+"} ${exhausted}`),
    );
    assert.match(metrics, /keyless_hsm_sessions_largest{token="prod",serial="\w+"} 1\n/);
    assert.match(metrics, /keyless_hsm_token_up{token="prod",serial="\w+"} 1\n/);
    client.close();
  });

  test("does nothing more for connections that are gone", SLOW, async () => {
    const server = await start(sleepy, "&max-sessions=2");
    const gone = serve.fixture.connect({ port: server.port });
    await sign(gone);
    const asked = Array.from({ length: 60 }, () => sign(gone).catch(() => {}));
    await sleep(200);
    gone.close();
    await Promise.all(asked);
    const client = serve.fixture.connect({ port: server.port });
    const sinceMs = performance.now();
    await sign(client);
    assert.ok(performance.now() - sinceMs < 1_500, "60 would have taken 4 s");
    client.close();
  });
});

describe("a server does not start, with exit code 2, where the token", () => {
  const refusal = (flags: string) => {
    const store = `uri: ${serve.uri("token=prod", "", shim.path)}`;
    const env = { ...shim.env, SLOW_MODULE_FLAGS: flags };
    return serve.fixture.refusal(serve.configure([store]), { env });
  };

  test("is locked", SLOW, async () => {
    assert.match(await refusal("0x40000"), /prod\\?" is locked after wrong PINs; unlock it/);
  });

  test("has one try left", SLOW, async () => {
    assert.match(await refusal("0x20000"), /prod\\?" .*(last|one) try/);
  });
});

test("a key among 10,000 objects is found and served", SLOW, async () => {
  serve.hsm.addToken("many");
  serve.hsm.importKey("many", keyOf("P-384"), { label: "other", id: "01" });
  serve.hsm.copyObjects("many", 5_000);
  serve.hsm.importKey("many", keyOf("P-256"), { label: "tls", id: "02" });
  const sinceMs = performance.now();
  const uri = serve.uri("token=many;object=tls", "", softHsmPath());
  const server = await serve.start([`uri: ${uri}`]);
  assert.ok(performance.now() - sinceMs < 20_000, `${performance.now() - sinceMs} ms`);
  const client = serve.fixture.connect({ port: server.port });
  await sign(client);
  client.close();
});

async function untilItFails(call: () => Promise<void>): Promise<never> {
  for (;;) await call();
}

// deno-lint-ignore no-explicit-any
async function statusOf(server: RunningServer): Promise<any> {
  const line = server.lines.find(({ event }) => event === "status_listening");
  return await (await fetch(`http://127.0.0.1:${line?.["port"]}/_status`)).json();
}
