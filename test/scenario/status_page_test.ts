import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { KeylessClient } from "../../src/mod.ts";
import { Authority } from "../../src/pki/authority.ts";
import { Browser } from "../support/browser.ts";
import { keyOf } from "../support/openssl.ts";
import { RunningServer } from "../support/running_server.ts";
import { LOCAL } from "../support/serve_fixture.ts";
import { makeTempDir, type TempDir } from "../support/temp_dir.ts";

const SLOW = { timeout: 30_000 };

/** Names that certificates must not be able to bring to life. */
const SERVER_NAME = `<script>document.title = "owned"</script>`;
const CLIENT_NAME = `"><img src=x onerror=alert(1)>\u202eevil\u0007`;

let directory: TempDir;
let server: RunningServer;
let opened: Promise<Browser>;

/** Not awaited: Bun gives a hook five seconds, and a busy machine's browser may take longer. */
before(() => {
  opened = openPage();
});

after(async () => {
  await (await opened).close();
  await server.kill();
  directory.remove();
});

async function openPage(): Promise<Browser> {
  directory = makeTempDir();
  const authority = await Authority.create("<h1>authority</h1>");
  directory.write("ca.pem", authority.certificatePem);
  const soon = new Date(Date.now() + 5.5 * 86_400_000);
  const own = { commonName: SERVER_NAME, names: ["localhost"], notAfter: soon };
  const identity = await authority.issue({ ...own, usages: ["server"] });
  directory.write("server.pem", identity.certificatePem);
  directory.write("server-key.pem", identity.keyPem);
  directory.write("p256.key", keyOf("P-256"));
  server = await RunningServer.start([
    ...[...LOCAL, "--status", "http://127.0.0.1:0", "--private-key-files", "p256.key"],
    ...["--cloudflare-ca-cert", "ca.pem"],
  ], { cwd: directory.path });
  const { port } = await server.event("status_listening");
  const client = await authority.issue({ commonName: CLIENT_NAME, usages: ["client"] });
  await askOf(client);
  const browser = Browser.start();
  await browser.open(`http://127.0.0.1:${port}/`);
  return browser;
}

/** A ping that is answered, and a signature by a key that is not there, which is logged. */
async function askOf(
  client: { readonly certificatePem: string; readonly keyPem: string },
): Promise<void> {
  const asking = new KeylessClient({
    host: "127.0.0.1",
    port: server.port,
    serverName: "localhost",
    certificate: new TextEncoder().encode(client.certificatePem),
    key: new TextEncoder().encode(client.keyPem),
    ca: readFileSync(directory.at("ca.pem")),
  });
  await asking.ping();
  const ski = new Uint8Array(20).fill(7);
  await assert.rejects(asking.sign({ ski }, "ecdsa-sha256", new Uint8Array(32)), /not found/);
  asking.close();
}

describe("the page in a browser", () => {
  test("shows the state, the operations, the keys and the last problems", SLOW, async () => {
    const browser = await opened;
    const text = await browser.evaluate<string>("document.body.innerText");
    assert.match(text, /^keyless\s+listening\s+up \d+ s\n/);
    assert.match(text, /\necdsa\t1\t1\s+100 %\s+[\d.]+ [µm]s\t/);
    assert.match(text, /\nother\t1\t0\t[\d.]+ µs\t[\d.]+ [µm]s/);
    assert.match(text, /\nEC P-256\tfiles\t1\n/);
    assert.match(text, /\twarn\trequest failed\s/);
  });

  test(
    "shows certificates, the soonest to end first, and hostile names as text",
    SLOW,
    async () => {
      const browser = await opened;
      const rows = await browser.evaluate<string[]>(
        "[...document.querySelectorAll('section[aria-labelledby=certificates] tbody tr')]" +
          ".map((row) => row.innerText)",
      );
      assert.equal(rows.length, 3);
      assert.match(
        rows[0] ?? "",
        /^5\t\d{4}-\d\d-\d\d\t<script>document\.title = "owned"<\/script>\s+localhost\s+server\.pem/,
      );
      assert.ok(rows.some((row) => row.includes("<h1>authority</h1>")), rows.join());
      const shown = String.raw`"><img src=x onerror=alert(1)>\u{202e}evil\u{7}`;
      assert.ok(rows.some((row) => row.includes(shown)), rows.join());
      const found = await browser.evaluate<object>(
        "({ scripts: document.scripts.length, images: document.images.length, " +
          "headings: document.querySelectorAll('h1').length, title: document.title })",
      ) as Record<string, unknown>;
      assert.match(String(found["title"]), /^keyless on /);
      assert.deepEqual({ ...found, title: "" }, { scripts: 0, images: 0, headings: 1, title: "" });
    },
  );

  test("wears its style, light and dark, and asks for nothing else", SLOW, async () => {
    const browser = await opened;
    const grounds: string[] = [];
    for (const value of ["light", "dark"]) {
      const features = [{ name: "prefers-color-scheme", value }];
      await browser.call("Emulation.setEmulatedMedia", { features });
      grounds.push(await browser.evaluate("getComputedStyle(document.body).backgroundColor"));
    }
    assert.deepEqual(grounds, ["rgb(246, 247, 249)", "rgb(18, 21, 27)"]);
    const requests = browser.events("Network.requestWillBeSent")
      .map(({ request }) => new URL((request as { readonly url: string }).url).pathname);
    assert.deepEqual(requests.filter((path) => path !== "/favicon.ico"), ["/"]);
    assert.deepEqual(browser.events("Log.entryAdded").map(({ entry }) => entry), []);
  });

  test("fits a phone", SLOW, async () => {
    const browser = await opened;
    const phone = { width: 375, height: 700, deviceScaleFactor: 2, mobile: true };
    await browser.call("Emulation.setDeviceMetricsOverride", phone);
    const width = await browser.evaluate<number>("document.documentElement.scrollWidth");
    assert.ok(width <= 375, `${width} pixels`);
    const scrolled = await browser.evaluate<string[]>(
      "[...document.querySelectorAll('.scroll')].filter((each) => each.scrollWidth > each.clientWidth)" +
        ".map((each) => each.innerText)",
    );
    assert.deepEqual(scrolled, [], "tables that are wider than their card");
  });

  test("could not run, load or send anything if a name were markup after all", SLOW, async () => {
    const browser = await opened;
    const blocked = await browser.evaluate<string[]>(
      `new Promise((resolve) => {
        const blocked = [];
        document.addEventListener("securitypolicyviolation", ({ effectiveDirective }) => {
          blocked.push(effectiveDirective);
          if (blocked.length === 5) resolve(blocked.toSorted());
        });
        const add = (name, attributes) =>
          document.body.append(Object.assign(document.createElement(name), attributes));
        add("script", { textContent: "document.title = 'owned'" });
        add("img", { src: "/healthz" });
        add("style", { textContent: "body { display: none }" });
        add("iframe", { src: "/healthz" });
        fetch("/healthz").catch(() => {});
      })`,
    );
    assert.deepEqual(
      blocked,
      ["connect-src", "frame-src", "img-src", "script-src-elem", "style-src-elem"],
    );
    assert.match(await browser.evaluate<string>("document.title"), /^keyless on /);
  });
});
