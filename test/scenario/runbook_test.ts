/** What docs/runbook.md says of the program is so: its commands, its log lines, its exit codes. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { ERRORS, EXIT_MEANINGS } from "../../src/errors/table.ts";
import { Authority } from "../../src/pki/authority.ts";
import { WIRE_ERRORS } from "../../src/protocol/errors.ts";
import { METRICS } from "../../src/telemetry/metrics/table.ts";
import { HANDSHAKE_OUTCOMES } from "../../src/telemetry/server_metrics.ts";
import { runExecutable } from "../support/cli.ts";
import { blocksOf, type Section, sectionsOf } from "../support/markdown.ts";
import { makeKey } from "../support/openssl.ts";
import { DEPLOY } from "../support/prometheus.ts";
import type { RawClient } from "../support/raw_client.ts";
import type { LogLine, RunningServer } from "../support/running_server.ts";
import { LOCAL, ServeFixture } from "../support/serve_fixture.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PAGE = readFileSync(`${ROOT}docs/runbook.md`, "utf8");
const SECTIONS = sectionsOf(PAGE);

/** What a line says differently each time, and whose names are the page's own. */
const VOLATILE = ["time", "client", "address", "id", "ski", "requestId"];

const OPCODES = { RSA_SHA256: 0x05, ECDSA_SHA256: 0x15, SEAL: 0x21, PONG: 0xf2, UNKNOWN: 0x77 };
const DIGEST = new Uint8Array(32);

/** A request that is answered with this error; undefined for what this version never answers. */
const PROVOKED: Readonly<
  Record<string, ((client: RawClient, ski: Uint8Array) => void) | undefined>
> = {
  "cryptography error": (client, ski) =>
    client.send(1, { opcode: OPCODES.RSA_SHA256, ski, payload: DIGEST }),
  "key not found due to no matching SKI/SNI/ServerIP": (client) => {
    const ski = new Uint8Array(20).fill(1);
    const serverName = "www.example.com";
    client.send(2, { opcode: OPCODES.ECDSA_SHA256, ski, serverName, payload: DIGEST });
  },
  "read failure": undefined,
  "version mismatch": ({ socket }) => socket.write(Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 6)),
  "bad opcode": (client) => client.send(3, { opcode: OPCODES.UNKNOWN }),
  "unexpected opcode": (client) => client.send(4, { opcode: OPCODES.PONG }),
  "malformed message": ({ socket }) => socket.write(Uint8Array.of(1, 0, 0, 1, 0, 0, 0, 7, 0x11)),
  "internal error": (client) => client.send(5, { opcode: OPCODES.SEAL }),
  "certificate not found": undefined,
  "sealing key expired": undefined,
  "remote configuration error": undefined,
};

let fixture: ServeFixture;
let server: RunningServer;

before(async () => {
  fixture = await ServeFixture.create();
  const { directory } = fixture;
  directory.write("p256.key", makeKey("P-256"));
  const other = await Authority.create("another authority");
  const rogue = await other.issue({ commonName: "rogue", usages: ["client"] });
  directory.write("other-ca.pem", other.certificatePem);
  directory.write("rogue.pem", rogue.certificatePem);
  directory.write("rogue-key.pem", rogue.keyPem);
  const push = ["--metrics-graphite", "127.0.0.1:1"];
  server = await fixture.start([...LOCAL, "--private-key-files", "p256.key", ...push]);
});
after(async () => {
  await fixture.killServer();
  fixture.remove();
});

function sectionOf(heading: string): Section {
  const found = SECTIONS.filter((section) => section.heading === heading);
  assert.equal(found.length, 1, `"${heading}" has ${found.length} headings`);
  return found[0]!;
}

/** The log line that a section shows. */
function shownLine(heading: string): LogLine {
  const [block = "", ...more] = blocksOf(sectionOf(heading).text, "json");
  assert.equal(more.length, 0);
  return JSON.parse(block);
}

function assertShown(heading: string, logged: LogLine, volatile = VOLATILE): void {
  const shown = shownLine(heading);
  assert.deepEqual(Object.keys(shown), Object.keys(logged));
  for (const [field, value] of Object.entries(logged)) {
    if (!volatile.includes(field)) assert.equal(shown[field], value, field);
  }
}

describe("the runbook has a heading", () => {
  test("of its own for everything: no two have the same anchor", () => {
    assert.equal(new Set(SECTIONS.map(({ anchor }) => anchor)).size, SECTIONS.length);
  });

  test("for every error label", () => {
    const labels = Object.values(WIRE_ERRORS).filter((row) => row !== WIRE_ERRORS.NONE);
    for (const { text } of labels) sectionOf(text);
    assert.deepEqual(labels.map(({ text }) => text), Object.keys(PROVOKED));
  });

  test("for every alert, where the alert says", () => {
    const groups: { rules: { alert: string; annotations: Record<string, string> }[] }[] = parse(
      readFileSync(`${DEPLOY}alerts.yaml`, "utf8"),
    ).groups;
    const rules = groups.flatMap((group) => group.rules);
    assert.ok(rules.length > 0);
    for (const { alert, annotations } of rules) {
      assert.equal(annotations["runbook"], `docs/runbook.md#${sectionOf(alert).anchor}`);
    }
    const shown = SECTIONS.map(({ heading }) => heading).filter((each) =>
      /^Keyless[A-Z]/.test(each)
    );
    assert.deepEqual(shown, rules.map(({ alert }) => alert), "in their order, and no other");
  });

  test("for every exit code, with what it means", () => {
    for (const [code, meaning] of Object.entries(EXIT_MEANINGS)) {
      assert.ok(sectionOf(`Exit code ${code}`).text.trim().startsWith(`${meaning}.`), code);
    }
  });
});

test("the runbook says for every error code what to do", () => {
  const rows = sectionOf("Error codes").text.split("\n").filter((line) => line.startsWith("| `"));
  const codes = rows.flatMap((row) =>
    Array.from(row.split("|")[1]!.matchAll(/`(\w+)`/g), ([, code]) => code)
  );
  assert.deepEqual(codes.toSorted(), Object.keys(ERRORS).sort());
  for (const row of rows) assert.ok(row.split("|")[2]?.trim(), row);
});

test("the runbook has a row for every event that the log can have, and no other", () => {
  const sources = ["src", "cli"].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), "utf8"))
  );
  const logged = sources.flatMap((text) =>
    Array.from(text.matchAll(/(?<!\()\bevent(?:: | = )(?:failed \? )?"(\w+)"(?: : "(\w+)")?/g))
      .flatMap((
        [, event, other],
      ) => [event, other ?? []].flat())
  );
  const rows = sectionOf("Log lines").text.split("\n").filter((line) => line.startsWith("| `"));
  const shown = rows.flatMap((row) =>
    Array.from(row.split("|")[1]!.matchAll(/`(\w+)`/g), ([, event]) => event)
  );
  assert.deepEqual(shown.toSorted(), [...new Set(logged)].sort());
});

test("the runbook knows every way in which a handshake fails", () => {
  for (const outcome of HANDSHAKE_OUTCOMES.filter((each) => each !== "ok" && each !== "other")) {
    assert.ok(sectionOf("refused").text.includes(`| \`${outcome}\` |`), outcome);
  }
});

test("every link of the runbook, and of the pages beside it, leads somewhere", () => {
  for (const name of ["runbook.md", "metrics.md", "hsm.md"]) {
    const page = readFileSync(`${ROOT}docs/${name}`, "utf8");
    const links = Array.from(page.matchAll(/\]\(([^)\s]+)\)/g), ([, link = ""]) => link);
    assert.ok(links.length > 0);
    for (const link of links) {
      const [path = "", anchor] = link.split("#");
      const url = new URL(path === "" ? name : path, `file://${ROOT}docs/`);
      if (anchor === undefined) assert.ok(readAny(url), link);
      else {
        const sections = sectionsOf(readFileSync(url, "utf8"));
        assert.ok(sections.some((section) => section.anchor === anchor), `${name}: ${link}`);
      }
    }
  }
});

describe("the runbook shows the log line", () => {
  for (const [label, provoke] of Object.entries(PROVOKED)) {
    if (provoke === undefined) continue;
    test(`of "${label}" as it is logged`, async () => {
      const client = await fixture.openRaw(server.port);
      provoke(client, fixture.publicKey("p256.key").ski);
      await client.next();
      client.socket.destroy();
      assertShown(label, await server.event("request_failed", (line) => line["error"] === label));
    });
  }

  test("of a client of another authority as it is logged", async () => {
    const words = ["--cert", "rogue.pem", "--key", "rogue-key.pem", "--ca", "keyless_cacert.pem"];
    await keyless(`ping localhost:${server.port} --count 1 ${words.join(" ")}`);
    const isIts = (line: LogLine) => String(line["reason"]).includes("authority");
    assertShown("refused", await server.event("refused", isIts));
  });

  test("of a connection that breaks as it is logged", async () => {
    const client = await fixture.openRaw(server.port);
    client.socket.end(Uint8Array.of(1, 0, 0, 4));
    await client.closed;
    assertShown("connection_failed", await server.event("connection_failed"));
  });

  test("of a push that fails as it is logged", async () => {
    const line = await server.event("metrics_push_failed");
    assertShown("metrics_push_failed", line, ["time", "address", "reason"]);
    assert.match(String(line["reason"]), /ECONNREFUSED/);
  });

  test("reasons of refusals as they stand in the program", () => {
    const program = ["refusal.ts", "listener.ts", "handshakes.ts"]
      .map((name) => readFileSync(`${ROOT}src/server/${name}`, "utf8")).join("\n");
    const table = sectionOf("refused").text.split("\n").filter((line) => line.startsWith("| `"));
    const reasons = table.map((row) => row.split("|")[2]!.trim().split(/, |; /)[0]!);
    assert.ok(reasons.length > 0);
    for (const reason of reasons) assert.ok(program.includes(reason), reason);
  });
});

test("the runbook says of what this version never answers that it does not", () => {
  for (const [label, provoke] of Object.entries(PROVOKED)) {
    const says = sectionOf(label).text.includes("This version never answers it");
    assert.equal(says, provoke === undefined, label);
  }
});

describe("the runbook shows what a command prints that ends with", () => {
  for (const code of Object.keys(EXIT_MEANINGS)) {
    test(`exit code ${code}`, { timeout: 10_000 }, async () => {
      const blocks = blocksOf(sectionOf(`Exit code ${code}`).text, "console");
      assert.equal(blocks.length, 1);
      const [first = "", ...printed] = blocks[0]!.split("\n");
      const command = first.replace(/^\$ keyless /, "");
      const here = `localhost:${server.port}`;
      const result = await keyless(command.replaceAll("keys.example.net", here));
      assert.equal(String(result.code), code, result.stderr);
      const output = `${result.stdout}${result.stderr}`.replaceAll(here, "keys.example.net");
      assert.equal(withoutNumbers(printed.join("\n")), withoutNumbers(output));
    });
  }
});

test("every command and flag that the runbook names is one", { timeout: 20_000 }, async () => {
  const commands = new Set(
    Array.from(
      PAGE.matchAll(/keyless ((?:serve|ping)|(?:certs|config|keys) [a-z]+)\b/g),
      ([, words = ""]) => words,
    ),
  );
  assert.ok(commands.size >= 6);
  const helps = new Map<string, string>();
  for (const command of commands) {
    const { code, stdout } = await keyless(`${command} --help`);
    assert.equal(code, 0, command);
    assert.ok(stdout.startsWith(`Usage: keyless ${command}`), command);
    helps.set(command, stdout);
  }
  const lines = PAGE.matchAll(/keyless ((?:serve|ping)|(?:certs|config|keys) [a-z]+)\b([^`\n]*)/g);
  for (const [line, command = "", rest = ""] of lines) {
    for (const [flag] of rest.matchAll(/(?<=\s)--?[a-z][a-z-]*/g)) {
      assert.match(helps.get(command)!, new RegExp(`(?:^|\\s)${flag}\\b(?!-)`, "m"), line);
    }
  }
  const everyFlag = [...helps.values()].join("\n");
  for (const [, flag = ""] of PAGE.matchAll(/`(--[a-z][a-z-]+)`/g)) {
    assert.ok(everyFlag.includes(flag), flag);
  }
});

test("every setting and metric that the runbook names is one", async () => {
  const { SETTINGS } = await import("../../src/config/settings.ts");
  const names = Array.from(PAGE.matchAll(/`([a-z]+(?:_[a-z]+)+)`/g), ([, name = ""]) => name);
  const others = new Set([
    ...HANDSHAKE_OUTCOMES,
    ...Object.keys(METRICS),
    ...Array.from(PAGE.matchAll(/^\| ((?:`\w+`(?:, )?)+) \|/gm), ([, cell = ""]) => cell)
      .flatMap((cell) => Array.from(cell.matchAll(/`(\w+)`/g), ([, word = ""]) => word)),
  ]);
  const unknown = names.filter((name) => !(name in SETTINGS) && !others.has(name));
  assert.deepEqual(unknown, []);
});

function keyless(command: string) {
  return runExecutable(command.split(" "), { cwd: fixture.directory.path });
}

/** Times, addresses and key identifiers are others each time. */
function withoutNumbers(text: string): string {
  return text.trim()
    .replaceAll(/\b[0-9a-f]{40}\b/g, "#")
    .replaceAll(/\d[\d.:TZ-]*/g, "#")
    .replaceAll(/ +/g, " ");
}

function readAny(url: URL): boolean {
  try {
    readdirSync(url);
  } catch {
    readFileSync(url);
  }
  return true;
}
