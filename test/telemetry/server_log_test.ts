import assert from "node:assert/strict";
import { test } from "node:test";
import { WIRE_ERRORS } from "../../src/protocol/errors.ts";
import { type HeldBack, LineLimiter, OTHERS } from "../../src/telemetry/line_limiter.ts";
import { createLog } from "../../src/telemetry/log.ts";
import { ServerLog } from "../../src/telemetry/server_log.ts";
import { MemoryLog } from "../support/memory_log.ts";

const CLIENT = { name: "edge-1", address: "192.0.2.1:5000" };
const FAILED = { error: WIRE_ERRORS.KEY_NOT_FOUND, reason: "no such key is loaded" };
const SERVED = { error: WIRE_ERRORS.NONE, reason: undefined };
const encode = (text: string) => new TextEncoder().encode(text);

test("a failed request is a line with client, SKI, SNI, address, request id and reason", () => {
  const log = new MemoryLog();
  new ServerLog(log).request(CLIENT, 7, {
    opcode: 0x15,
    ski: new Uint8Array(20).fill(0xab),
    serverName: "www.example.com",
    serverIp: Uint8Array.of(198, 51, 100, 7),
    certificateId: "cert-1",
    context: encode('{"request_id":"r-1"}'),
  }, FAILED);
  assert.deepEqual(log.lines, [{
    level: "warn",
    message: "request failed",
    fields: {
      event: "request_failed",
      client: "edge-1",
      address: "192.0.2.1:5000",
      id: 7,
      opcode: "OpECDSASignSHA256",
      ski: "ab".repeat(20),
      sni: "www.example.com",
      serverIp: "198.51.100.7",
      certificateId: "cert-1",
      requestId: "r-1",
      error: "key not found due to no matching SKI/SNI/ServerIP",
      reason: "no such key is loaded",
    },
  }]);
});

test("a request without an id of its own gets a UUID in the log", () => {
  for (const context of [undefined, encode("null"), encode("{"), encode('{"request_id":5}')]) {
    const log = new MemoryLog();
    new ServerLog(log).request(CLIENT, 7, { opcode: 0x15, context }, FAILED);
    assert.match(String(log.lines[0]?.fields["requestId"]), /^[0-9a-f]{8}-[0-9a-f-]{27}$/);
  }
});

test("names from packets cannot forge lines", () => {
  const log = new MemoryLog();
  const context = encode(JSON.stringify({ request_id: "a\nb" }));
  new ServerLog(log).request(CLIENT, 7, { serverName: "x\u001b[2J", context }, FAILED);
  assert.equal(log.lines[0]?.fields["sni"], "x\\u{1b}[2J");
  assert.equal(log.lines[0]?.fields["requestId"], "a\\u{a}b");
});

test("names are shown to 256 characters, and a SKI to 32 bytes", () => {
  for (const [given, shown] of [[256, 256], [257, 256], [60_000, 256]] as const) {
    const log = new MemoryLog();
    const name = "n".repeat(given);
    const context = encode(JSON.stringify({ request_id: name }));
    const operation = { serverName: name, certificateId: name, context };
    new ServerLog(log).request(CLIENT, 7, operation, FAILED);
    const text = given === shown ? name : `${"n".repeat(shown - 1)}…`;
    for (const field of ["sni", "certificateId", "requestId"]) {
      assert.equal(log.lines[0]?.fields[field], text, `${field} of ${given}`);
    }
  }
  for (const [given, shown] of [[32, 32], [33, 32], [60_000, 32]] as const) {
    const log = new MemoryLog();
    new ServerLog(log).request(CLIENT, 7, { ski: new Uint8Array(given).fill(0xab) }, FAILED);
    assert.equal(log.lines[0]?.fields["ski"], "ab".repeat(shown));
  }
});

test("a served request is no line, but one at the level debug", () => {
  const log = new MemoryLog();
  new ServerLog(log).request(CLIENT, 7, { opcode: 0xf1 }, SERVED);
  assert.equal(log.lines.length, 0);
  new ServerLog(log, { debug: true }).request(CLIENT, 7, { opcode: 0xf1 }, SERVED);
  assert.equal(log.lines[0]?.level, "debug");
  assert.equal(log.lines[0]?.fields["opcode"], "OpPing");
});

test("a flood of failing requests is ten lines and a sum", () => {
  const log = new MemoryLog();
  const serverLog = new ServerLog(log);
  for (let id = 0; id < 1_000; id++) serverLog.request(CLIENT, id, { opcode: 0x15 }, FAILED);
  serverLog.request({ ...CLIENT, name: "edge-2" }, 1, { opcode: 0x15 }, FAILED);
  assert.equal(log.lines.length, 11);
  serverLog.flush();
  assert.equal(log.lines.length, 12);
  assert.deepEqual(log.lines[11]?.fields, {
    event: "request_failed",
    client: "edge-1",
    reason: "key not found due to no matching SKI/SNI/ServerIP",
    count: 990,
  });
});

test("what was shed says so, and is summed up apart from defects that clients see as the same", () => {
  const log = new MemoryLog();
  const serverLog = new ServerLog(log);
  const error = WIRE_ERRORS.INTERNAL;
  const shed = { error, reason: "too many requests wait", shed: "full" };
  const defect = { error, reason: "defect: x is undefined", shed: undefined };
  for (let id = 0; id < 100; id++) serverLog.request(CLIENT, id, {}, shed);
  for (let id = 0; id < 5; id++) serverLog.request(CLIENT, id, {}, defect);
  serverLog.flush();
  assert.equal(log.lines.length, 16);
  assert.equal(log.lines[0]?.fields["shed"], "full");
  assert.equal("shed" in log.lines[14]!.fields, false);
  assert.equal(log.lines[14]?.fields["reason"], "defect: x is undefined");
  const { reason, count } = log.lines[15]!.fields;
  assert.deepEqual({ reason, count }, { reason: "internal error: shed (full)", count: 90 });
});

test("a stranger's ports do not make several strangers of him", () => {
  const log = new MemoryLog();
  const serverLog = new ServerLog(log);
  for (let port = 1; port <= 50; port++) serverLog.refused(`[2001:db8::1]:${port}`, "no");
  serverLog.flush();
  assert.equal(log.lines.length, 2);
  assert.equal(log.lines[1]?.fields["client"], "[2001:db8::1]");
  assert.equal(log.lines[1]?.fields["count"], 49);
});

test("256 strangers and 256 clients have a line each; those beyond share one place", () => {
  const log = new MemoryLog();
  const serverLog = new ServerLog(log);
  const linesOf = (cause: (index: number) => void) => {
    const before = log.lines.length;
    for (let index = 0; index < 300; index++) cause(index);
    return log.lines.length - before;
  };
  assert.equal(linesOf((at) => serverLog.refused(`192.0.2.${at}:1`, "no")), 256 + 1);
  const burst = 10; // lines of the place that the others share
  assert.equal(
    linesOf((at) => serverLog.connectionFailed({ name: `edge-${at}`, address: "" }, "cut")),
    256 + burst,
  );
  serverLog.flush();
  const sums = log.lines.slice(-2).map(({ fields }) => [fields["client"], fields["count"]]);
  assert.deepEqual(sums, [[OTHERS, 300 - 257], [OTHERS, 300 - 256 - burst]]);
});

test("each reason for which a stranger is refused gets its line", () => {
  const log = new MemoryLog();
  const serverLog = new ServerLog(log);
  for (const reason of ["expired", "expired", "rogue"]) serverLog.refused("192.0.2.1:1", reason);
  assert.deepEqual(log.lines.map(({ fields }) => fields["reason"]), ["expired", "rogue"]);
});

const sourceOf = (client: string) => ({ kind: "refused", client, reason: "expired" });

function limiter(maxSources: number, windowMs = 60_000) {
  const reports: HeldBack[] = [];
  const waiting: (() => void)[] = [];
  const report = (held: HeldBack) => {
    reports.push(held);
    waiting.shift()?.();
  };
  const next = () => new Promise<void>((resolve) => waiting.push(resolve));
  return { reports, next, lines: new LineLimiter({ burst: 2, windowMs, maxSources, report }) };
}

test("the window's end reports what was held back, and begins anew", async () => {
  const { lines, reports, next } = limiter(10, 50);
  const admitted = [1, 2, 3, 4].map(() => lines.admits(sourceOf("a")));
  assert.deepEqual(admitted, [true, true, false, false]);
  const keepAlive = setInterval(() => {}, 1_000); // the limiter's own timer keeps nobody alive
  await next();
  clearInterval(keepAlive);
  assert.deepEqual(reports, [{ ...sourceOf("a"), count: 2 }]);
  assert.equal(lines.admits(sourceOf("a")), true);
  lines.flush();
});

test("clients beyond the limit share one place", () => {
  const { lines, reports } = limiter(2);
  for (let client = 0; client < 1_000; client++) lines.admits(sourceOf(`client ${client}`));
  lines.flush();
  assert.deepEqual(reports, [{ kind: "refused", client: OTHERS, reason: "", count: 996 }]);
});

for (const format of ["json", "pretty"] as const) {
  test(`the ${format} log shows fields, keeps to its level, and spells control characters`, () => {
    let written = "";
    const destination = { write: (line: string) => void (written += line) };
    const log = createLog({ level: "info", format, destination });
    log.debug({ port: 1 }, "not shown");
    log.info({ port: 2407, path: "a\u009b31m" }, "listening");
    assert.match(written, /^[^\n]*listening[^\n]*\n$/);
    assert.match(written, /2407/);
    assert.match(written, /a\\+u\{9b\}31m/);
    if (format === "json") assert.equal(JSON.parse(written).level, "info");
  });
}
