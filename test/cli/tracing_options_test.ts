import assert from "node:assert/strict";
import { cpSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import process from "node:process";
import { after, afterEach, before, describe, test } from "node:test";
import { tracingOptions } from "../../cli/tracing_options.ts";
import { SETTINGS, type Settings } from "../../src/config/settings.ts";
import { spawnScript } from "../support/cli.ts";
import { MemoryLog } from "../support/memory_log.ts";
import { makeKey } from "../support/openssl.ts";
import { LOCAL, ServeFixture } from "../support/serve_fixture.ts";
import type { TempDir } from "../support/temp_dir.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const VARIABLES = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];

afterEach(() => {
  for (const name of VARIABLES) delete process.env[name];
});

function settings(changes: Partial<Settings>): Settings {
  const defaults = Object.entries(SETTINGS).map(([key, row]) => [key, row.default]);
  return { ...Object.fromEntries(defaults) as Settings, tracing_enabled: true, ...changes };
}

/** Where traces would go, as the log says it. */
function collectorWith(changes: Partial<Settings>): unknown {
  const log = new MemoryLog();
  tracingOptions(settings(changes), log);
  return log.lines.find(({ fields }) => "collector" in fields)?.fields["collector"];
}

describe("where traces go", () => {
  test("is OpenTelemetry's default where nothing is said", () => {
    assert.equal(collectorWith({}), "http://localhost:4318/v1/traces");
  });

  test("is said by OpenTelemetry's variables, the one for traces first", () => {
    process.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://collector:4318/";
    assert.equal(collectorWith({}), "http://collector:4318/v1/traces");
    process.env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = "https://traces.example/otlp";
    assert.equal(collectorWith({}), "https://traces.example/otlp");
  });

  test("is said by the setting before all", () => {
    process.env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = "https://traces.example/otlp";
    const tracing_address = "collector.example:4319";
    assert.equal(
      collectorWith({ tracing_address }),
      "http://collector.example:4319/v1/traces",
    );
  });

  test("is shown without its query, which may hold a token", () => {
    const tracing_address = "http://collector.example/otlp?token=secret";
    assert.equal(collectorWith({ tracing_address }), "http://collector.example/otlp");
  });

  for (const endpoint of ["collector:4318", "grpc://collector:4317", "http://u:secret@collector"]) {
    test(`is refused in a variable that says ${endpoint}`, () => {
      process.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint;
      assert.throws(() => collectorWith({}), (error: Error & { code?: string }) => {
        assert.equal(error.code, "CONFIG_VALUE");
        assert.match(error.message, /OTEL_EXPORTER_OTLP_ENDPOINT.*http.*--tracing-address/);
        assert.doesNotMatch(error.message, /secret/);
        return true;
      });
    });
  }
});

describe("without OpenTelemetry's packages", () => {
  let fixture: ServeFixture;
  let directory: TempDir;
  before(async () => {
    fixture = await ServeFixture.create();
    directory = fixture.directory;
    directory.write("p256.key", makeKey("P-256"));
    for (const part of ["src", "cli", "package.json", "deno.json"]) {
      cpSync(`${ROOT}${part}`, directory.at(part), { recursive: true });
    }
    mkdirSync(directory.at("node_modules"));
    for (const name of readdirSync(`${ROOT}node_modules`)) {
      if (name === "@opentelemetry" || name === ".bin") continue;
      symlinkSync(`${ROOT}node_modules/${name}`, directory.at(`node_modules/${name}`));
    }
  });
  after(() => fixture.remove());

  /** What a server says until it listens, or ends. */
  async function serve(...args: readonly string[]): Promise<string> {
    const child = spawnScript(pathToFileURL(directory.at("cli/main.ts")), [
      ...["serve", ...LOCAL, "--private-key-files", "p256.key", "--log-format", "json"],
      ...["--metrics-port", "off", ...args],
    ], { cwd: directory.path });
    let said = "";
    await new Promise<void>((resolve) => {
      child.stderr.on("data", (chunk) => {
        said += String(chunk);
        if (said.includes('"listening"')) resolve();
      });
      child.once("close", () => resolve());
    });
    const closed = new Promise((resolve) => child.once("close", resolve));
    child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await closed;
    return said;
  }

  test(
    "a server starts: nothing of them is loaded unless it traces",
    { timeout: 20_000 },
    async () => {
      assert.match(await serve(), /"event":"listening"/);
    },
  );

  test("a server that is to trace does not", async () => {
    const said = await serve("--tracing-enabled");
    assert.doesNotMatch(said, /"event":"listening"/);
    assert.match(said, /@opentelemetry/);
  });
});
