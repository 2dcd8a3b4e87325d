/** What an operator sees of tokens, beside what pkcs11-tool says of them. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { linkSync, readdirSync } from "node:fs";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { quoted } from "../../cli/invocation.ts";
import { PROGRAMS } from "../support/running_server.ts";
import { type CliOptions, runExecutable } from "../support/cli.ts";
import { keyOf } from "../support/openssl.ts";
import { makeSlowModule, type SlowModule } from "../support/slow_module.ts";
import { makeSoftHsm, PIN, type SoftHsm, softHsmPath } from "../support/softhsm.ts";
import { makeTempDir } from "../support/temp_dir.ts";

/** Moves a cursor, forges a line, turns text around, ends a shell's word. 32 bytes at most. */
const HOSTILE = "\u001b[2J\n\u202e'\";$(x)";
const HOSTILE_KEY = "key\u001b[31m\n\u202e%\"'";
const KEYS: readonly [label: string, kind: Parameters<typeof keyOf>[0], id: string][] = [
  ["ec", "P-256", "01"],
  ["ed", "Ed25519", "02"],
  [HOSTILE_KEY, "P-384", "03ff"],
  ["rsa", "RSA 2048", "04"],
];

let hsm: SoftHsm;
let slow: SlowModule;
let pinFile: string;
before(() => {
  hsm = makeSoftHsm();
  hsm.addToken("prod");
  for (const [label, kind, id] of KEYS) hsm.importKey("prod", keyOf(kind), { label, id });
  hsm.addToken("empty");
  hsm.addToken(HOSTILE);
  pinFile = hsm.dir.write("pin", `${PIN}\n`);
  slow = makeSlowModule(hsm);
});
after(() => hsm.remove());

const MODULE = ["--module", "softhsm2"];
const run = (args: readonly string[], options: CliOptions = {}) =>
  runExecutable(["hsm", ...args], { ...options, env: { ...hsm.env, ...options.env } });
const runWithPin = (...args: readonly string[]) => run([...args, "--pin-file", pinFile]);

/** What pkcs11-tool says of all slots. */
function listSlots(): string {
  const options = { env: { ...process.env, ...hsm.env }, encoding: "utf8" } as const;
  return execFileSync("pkcs11-tool", ["--module", softHsmPath(), "--list-slots"], options);
}

/** What no terminal may be sent. */
// deno-lint-ignore no-control-regex
const UNSAFE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/;

interface Document {
  readonly warnings: readonly string[];
  readonly problems: readonly { readonly code: string; readonly message: string }[];
  // deno-lint-ignore no-explicit-any
  readonly [field: string]: any;
}

async function document(args: readonly string[], options: CliOptions = {}): Promise<Document> {
  const { stdout } = await run([...args, "--json"], options);
  assert.doesNotMatch(stdout, UNSAFE);
  return JSON.parse(stdout);
}

describe("hsm slots", () => {
  test("lists the slots and tokens that pkcs11-tool lists", async () => {
    const { code, stdout } = await run(["slots", ...MODULE]);
    assert.equal(code, 0);
    const listed = listSlots();
    const theirs = Array.from(
      listed.matchAll(/token label +: (.*)\n(?:.*\n)*? +serial num +: (.*)/g),
    );
    assert.equal(theirs.length, 3);
    for (const [, , serial] of theirs) assert.match(stdout, new RegExp(`serial +${serial}$`, "m"));
    const { modules: [module] } = await document(["slots", ...MODULE]);
    const ours = module.slots.map(({ token }: Document) => token.serial).filter(Boolean);
    assert.deepEqual(ours.toSorted(), theirs.map(([, , serial]) => serial).toSorted());
    const ids = Array.from(
      listed.matchAll(/^Slot \d+ \(0x([0-9a-f]+)\)/gm),
      ([, id]) => Number(`0x${id}`),
    );
    assert.deepEqual(module.slots.map((slot: Document) => slot.slot_id), ids);
  });

  test("says what a token wants, that one is uninitialised, and which URI to paste", async () => {
    const { stdout } = await run(["slots", ...MODULE]);
    const [, block = ""] = /slot \d+: prod\n((?: {4}.*\n)+)/.exec(stdout) ?? [];
    assert.match(block, /state +login required$/m);
    const [, uri = ""] = / URI +(\S+)$/m.exec(block) ?? [];
    assert.match(uri, /^pkcs11:token=prod;serial=[0-9a-f]+\?module-path=\/.*libsofthsm2\.so$/);
    const { code } = await runWithPin("keys", uri);
    assert.equal(code, 0);
    assert.match(stdout, /slot \d+: no label\n(?: {4}.*\n)* {4}state +uninitialised$/m);
  });

  test("looks in the usual places, and says in which", async () => {
    const { code, stdout } = await run(["slots"]);
    assert.equal(code, 0);
    assert.ok(stdout.includes(softHsmPath()));
    assert.match(stdout, /^Looked for .*softhsm2\.so/m);
    assert.ok(stdout.replaceAll(/\n\s*/g, " ").includes("/opt/cloudhsm/lib"));
    const { tried } = await document(["slots"]);
    assert.ok(tried.includes("/opt/cloudhsm/lib/libcloudhsm_pkcs11.so"));
  });

  test("escapes what is hostile in a label, and its URI names the token all the same", async () => {
    const { code, stdout } = await run(["slots", ...MODULE]);
    assert.equal(code, 0);
    assert.doesNotMatch(stdout, UNSAFE);
    assert.ok(stdout.includes("\\u{1b}[2J\\u{a}\\u{202e}'\";$(x)"));
    const { modules: [module] } = await document(["slots", ...MODULE]);
    const hostile = module.slots.find(({ token }: Document) => token.label === HOSTILE);
    const { code: found, stderr } = await runWithPin("keys", hostile.token.uri);
    assert.equal(found, 0, stderr);
    assert.match(stderr, /no private key fits/);
  });

  test("checks tokens and mechanisms, each that is missing by name, with exit code 1", async () => {
    const wanted = ["--require-token", "prod", "--require-mechanism", "CKM_ECDSA"];
    assert.equal((await run(["slots", ...MODULE, ...wanted])).code, 0);
    const more = ["--require-token", "nonesuch", "--require-mechanism", "CKM_KEA_DERIVE"];
    const { code, stderr } = await run(["slots", ...MODULE, ...wanted, ...more]);
    assert.equal(code, 1);
    assert.match(stderr, /no token is labelled "nonesuch"; there is .*"prod"/);
    assert.match(stderr, /the token "prod" does not have the mechanism CKM_KEA_DERIVE/);
    assert.equal(stderr.trimEnd().split("\n").length, 2);
    const { problems } = await document(["slots", ...MODULE, ...wanted, ...more]);
    assert.deepEqual(problems.map((problem) => problem.code), ["CHECK_FAILED", "CHECK_FAILED"]);
  });

  test("refuses what cannot be a mechanism's name", async () => {
    const { code, stderr } = await run(["slots", ...MODULE, "--require-mechanism", "ecdsa"]);
    assert.equal(code, 2);
    assert.match(stderr, /give a name like CKM_ECDSA/);
  });
});

describe("hsm keys", () => {
  test("lists the keys that pkcs11-tool lists, with kind, id and SKI", async () => {
    const { keys } = await document([
      "keys",
      "pkcs11:token=prod",
      ...MODULE,
      "--pin-file",
      pinFile,
    ]);
    const listed = hsm.tool("prod", "--list-objects", "--type", "privkey");
    const ids = Array.from(listed.matchAll(/^ +ID: +([0-9a-f]+)/gm), ([, id]) => id);
    assert.equal(ids.length, KEYS.length);
    assert.deepEqual(keys.map(({ id }: Document) => id).toSorted(), ids.toSorted());
    for (const [label, , id] of KEYS) {
      const key = keys.find((each: Document) => each.label === label);
      assert.equal(key.id, id);
      assert.match(key.ski, /^[0-9a-f]{40}$/);
      assert.equal(key.sign, true);
      assert.equal(key.extractable, false);
      assert.equal(key.certificate, false);
    }
    const rsa = keys.find(({ label }: Document) => label === "rsa");
    const file = hsm.dir.write("rsa.pem", keyOf("RSA 2048"));
    const { stdout } = await runExecutable(["keys", "ski", file]);
    assert.equal(rsa.ski, stdout.split(" ")[0]);
    assert.deepEqual([rsa.type, rsa.bits], ["rsa", 2048]);
  });

  test("gives each key a URI that names it alone, whatever its label", async () => {
    const { keys } = await document([
      "keys",
      "pkcs11:token=prod",
      ...MODULE,
      "--pin-file",
      pinFile,
    ]);
    const { uri } = keys.find(({ label }: Document) => label === HOSTILE_KEY);
    const found = await document(["keys", uri, "--pin-file", pinFile]);
    assert.deepEqual(found.keys.map(({ label }: Document) => label), [HOSTILE_KEY]);
    const { stdout } = await runWithPin("keys", uri);
    assert.doesNotMatch(stdout, UNSAFE);
    assert.ok(stdout.includes("key\\u{1b}[31m\\u{a}\\u{202e}%\"'"));
  });

  test("lists no private keys where a URI asks for other objects", async () => {
    const { code, stderr } = await runWithPin("keys", "pkcs11:token=prod;type=cert", ...MODULE);
    assert.equal(code, 2);
    assert.match(stderr, /type=cert names no private key; write type=private/);
  });

  test("shows a token without keys as one, with a warning", async () => {
    const { code, stdout, stderr } = await runWithPin("keys", "pkcs11:token=empty", ...MODULE);
    assert.equal(code, 0);
    assert.match(stdout, /libsofthsm2\.so/);
    assert.match(stderr, /warning: no private key fits/);
  });

  test("lists a token of 10,000 objects", { timeout: 60_000 }, async () => {
    const large = makeSoftHsm(); // SoftHSM reads the objects of all tokens at every start
    try {
      large.addToken("large");
      large.importKey("large", keyOf("P-256"), { label: "one", id: "01" });
      multiplyObjects(large, 5_000);
      const startMs = performance.now();
      const args = ["keys", "pkcs11:token=large", ...MODULE, "--pin-file", pinFile];
      const { keys } = await document(args, { env: large.env });
      assert.equal(keys.length, 5_000);
      const elapsedMs = performance.now() - startMs;
      assert.ok(elapsedMs < 30_000, `it took ${elapsedMs} ms`);
    } finally {
      large.remove();
    }
  });
});

/** Gives the only token copies of its objects, until there are so many of each. */
function multiplyObjects({ dir }: SoftHsm, count: number): void {
  const [token = ""] = readdirSync(dir.at("tokens"));
  const folder = dir.at("tokens", token);
  const objects = readdirSync(folder).filter((name) => /^[0-9a-f-]{36}\.object$/.test(name));
  assert.equal(objects.length, 2);
  for (let copy = 1; copy < count; copy++) {
    const name = copy.toString(16).padStart(8, "0");
    for (const object of objects) {
      linkSync(`${folder}/${object}`, `${folder}/${name}${object.slice(8)}`);
    }
  }
}

describe("hsm mechanisms", () => {
  test("lists the mechanisms that pkcs11-tool lists", async () => {
    const { modules: [module] } = await document(["mechanisms", "pkcs11:token=prod", ...MODULE]);
    const [slot] = module.slots;
    const listed = hsm.tool("prod", "--list-mechanisms").split("\n").slice(1);
    const theirs = listed.filter((line) => /^ +\S/.test(line));
    assert.equal(slot.mechanisms.length, theirs.length);
    const ecdsa = slot.mechanisms.find(({ name }: Document) => name === "CKM_ECDSA");
    assert.deepEqual(ecdsa.uses, ["sign", "verify"]);
    assert.ok(theirs.some((line) => /^ +ECDSA, keySize=\{(\d+),(\d+)\}/.test(line)));
    const { stdout } = await run(["mechanisms", "pkcs11:token=prod", ...MODULE]);
    assert.match(stdout, /^CKM_EDDSA +\S+ +sign, verify$/m);
    for (const line of stdout.split("\n").slice(1)) assert.ok(line.length <= 80, line);
  });

  test("lists those of every token without a URI", async () => {
    const { modules: [module] } = await document(["mechanisms", ...MODULE]);
    const labels = module.slots.map(({ token }: Document) => token.label);
    assert.ok(labels.includes("prod") && labels.includes("empty"));
  });
});

describe("hsm test", () => {
  test(
    "signs by every opcode, verifies, measures, and recommends",
    { timeout: 30_000 },
    async () => {
      const load = ["--duration", "100ms", "--max-sessions", "3"];
      const args = ["test", "pkcs11:token=prod", ...MODULE, ...load];
      const { code, stdout, stderr } = await runWithPin(...args);
      assert.equal(code, 0, stderr);
      assert.equal(stdout.match(/^ {4}\S+ +verified, /gm)?.length, 6 + 6 + 1 + 10);
      assert.match(stdout, /^EC P-256 +ecdsa-sha256 +2 +[\d,]+ +[\d.]+ ms$/m);
      assert.match(stdout, /Recommended: max-sessions=[23]: [12] to sign, /);
      for (const line of stdout.split("\n")) {
        assert.ok(line.length <= 80 || /\//.test(line), line); // paths and URIs stay whole
      }
      const report = await document([...args, "--pin-file", pinFile]);
      assert.deepEqual(report["rates"].map((rate: Document) => rate.sessions), [
        1,
        2,
        1,
        2,
        1,
        2,
        1,
        2,
      ]);
      assert.match(report["recommended"].uri, /^pkcs11:token=prod\?.*&max-sessions=[23]$/);
      assert.ok(report["rates"].every((rate: Document) => rate.per_second > 0));
    },
  );

  test("fails for a URI that no key fits", async () => {
    const { code, stderr } = await runWithPin("test", "pkcs11:token=prod;object=none", ...MODULE);
    assert.equal(code, 2);
    assert.match(stderr, /no private key fits/);
  });

  test("says which operations a token refuses, with exit code 1", async () => {
    slow.fail(0x30); // CKR_DEVICE_ERROR
    const uri = "pkcs11:token=prod;object=ec";
    const args = ["test", uri, "--module", slow.path, "--pin-file", pinFile, "--duration", "50ms"];
    const { code, stderr } = await run([...args, "--max-sessions", "1"], { env: slow.env });
    assert.equal(code, 1);
    assert.match(stderr, /the key "ec": ecdsa-md5sha1 failed: .*CKR_DEVICE_ERROR/);
    assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
  });

  test("signs where a module has no sessions for reading alone", async () => {
    const env = { ...slow.env, SLOW_MODULE_NO_READER: "1" };
    const uri = "pkcs11:token=prod;object=ec";
    const args = ["test", uri, "--module", slow.path, "--pin-file", pinFile, "--duration", "50ms"];
    const { code, stderr } = await run([...args, "--max-sessions", "2"], { env });
    assert.equal(code, 0, stderr);
  });

  test("ends a module that hangs in the middle of a signature", { timeout: 20_000 }, async () => {
    slow.fail("hang");
    const uri = "pkcs11:token=prod;object=ec";
    const args = ["test", uri, "--module", slow.path, "--pin-file", pinFile, "--timeout", "500ms"];
    const { code, stderr } = await run(args, { env: slow.env });
    assert.equal(code, 1);
    assert.match(stderr, /the PKCS#11 module hangs: .* did not return within 0\.5 s/);
  });
});

describe("the PIN of the hsm commands", () => {
  const KEYS_OF = ["keys", "pkcs11:token=empty", ...MODULE];

  test("is refused in the URI of a command line, with what to do, and is not shown", async () => {
    const { code, stdout, stderr } = await run(["keys", "pkcs11:token=empty?pin-value=s3cr3t"]);
    assert.equal(code, 2);
    assert.match(stderr, /pin-value.*list of processes.*--pin-file.*KEYLESS_HSM_PIN.*pin-source/);
    assert.doesNotMatch(stdout + stderr, /s3cr3t/);
  });

  test("comes from the variable, and from the URI's source", async () => {
    assert.equal((await run(KEYS_OF, { env: { KEYLESS_HSM_PIN: PIN } })).code, 0);
    const uri = `pkcs11:token=empty?module-name=softhsm2&pin-source=file:${pinFile}`;
    assert.equal((await run(["keys", uri])).code, 0);
  });

  test("is asked for by name of its places where there is no terminal", async () => {
    const { code, stderr } = await run(KEYS_OF);
    assert.equal(code, 2);
    assert.match(stderr, /the token "empty" wants a PIN; give it by --pin-file FILE/);
  });

  test("is asked for on a terminal, which does not show it", async () => {
    const words = [...PROGRAMS.executable, "hsm", ...KEYS_OF].map(quoted).join(" ");
    const terminal = spawn("script", ["-qec", `exec ${words}`, "/dev/null"], {
      env: { ...process.env, ...hsm.env, SHELL: "/bin/sh" },
    });
    let shown = "";
    terminal.stdout.on("data", (chunk) => {
      const wasAsked = shown.includes("PIN of");
      shown += String(chunk);
      // a slip of the finger, taken back
      if (!wasAsked && shown.includes("PIN of")) terminal.stdin.write(`${PIN}5\u007f\r`);
    });
    const code = await new Promise((resolve) => terminal.once("close", resolve));
    assert.equal(code, 0, shown);
    assert.match(shown, /^User PIN of the token "empty": \r?\n/);
    assert.doesNotMatch(shown, new RegExp(PIN));
    assert.match(shown, /no private key fits/);
  });

  test("is tried once where it is wrong, and the next time few tries are left", async () => {
    hsm.addToken("tries");
    const keys = ["keys", "pkcs11:token=tries", ...MODULE];
    const wrong = await run(keys, { env: { KEYLESS_HSM_PIN: "wrong-9876" } });
    assert.equal(wrong.code, 2);
    assert.match(
      wrong.stderr,
      /refused the PIN, which is not tried again: CKR_PIN_INCORRECT\. It has/,
    );
    assert.doesNotMatch(wrong.stderr, /wrong-9876/);
    const { stdout } = await run(["slots", ...MODULE]);
    assert.match(stdout, /state +login required, PIN count low$/m);
    const right = await run(keys, { env: { KEYLESS_HSM_PIN: PIN } });
    assert.equal(right.code, 0);
    assert.match(right.stderr, /warning: the token "tries" .* few tries are left/);
  });

  test("is not risked where it is the last try, unless that is asked for", async () => {
    const env = { ...slow.env, SLOW_MODULE_FLAGS: "0x20000" };
    const keys = ["keys", "pkcs11:token=empty", "--module", slow.path, "--pin-file", pinFile];
    const refused = await run(keys, { env });
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /one try for its PIN left.*--use-last-try/);
    const risked = await run([...keys, "--use-last-try"], { env });
    assert.equal(risked.code, 0, risked.stderr);
  });

  test("is not tried on a locked token", async () => {
    const env = { ...slow.env, SLOW_MODULE_FLAGS: "0x40000" };
    const keys = ["keys", "pkcs11:token=empty", "--module", slow.path, "--pin-file", pinFile];
    const { code, stderr } = await run(keys, { env });
    assert.equal(code, 2);
    assert.match(stderr, /the token "empty" is locked after wrong PINs/);
    const { stdout } = await run(["slots", "--module", slow.path], { env });
    assert.match(stdout, /PIN locked/);
    const { stderr: unasked } = await run(keys.slice(0, 4), { env });
    assert.match(unasked, /the token "empty" is locked after wrong PINs/);
  });
});

describe("hsm commands and modules that are none", () => {
  const CASES: readonly [what: string, module: string, message: RegExp][] = [
    ["a module that is missing", "/nonesuch.so", /\/nonesuch\.so cannot be opened: no such file/],
    ["a name that is unknown", "nonesuch", /Looked for \[lib\]nonesuch\.so in .*name its file/],
    ["a folder", "/usr/lib", /\/usr\/lib is a folder/],
    ["a library of another kind", "/proc/self/exe", /cannot be opened as a PKCS#11 module/],
  ];
  for (const [what, module, message] of CASES) {
    test(`say what is wrong with ${what}`, async () => {
      const { code, stderr } = await run(["slots", "--module", module]);
      assert.equal(code, 2);
      assert.match(stderr, message);
      assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
    });
  }

  test("are not looked for in the current directory, unless it is named", async () => {
    const dir = makeTempDir();
    try {
      for (const name of ["softhsm2", "libsofthsm2.so"]) dir.write(name, "no library");
      const options = { cwd: dir.path };
      const { code, stdout } = await run(["slots", "--module", "softhsm2"], options);
      assert.equal(code, 0);
      assert.ok(stdout.includes(softHsmPath()));
      const file = await run(["slots", "--module", "libsofthsm2.so"], options);
      assert.equal(file.code, 2);
      assert.match(file.stderr, /without its directory; write "\.\/libsofthsm2\.so"/);
      const here = await run(["slots", "--module", "./libsofthsm2.so"], options);
      assert.equal(here.code, 2);
      assert.match(here.stderr, /libsofthsm2\.so.* cannot be opened as a PKCS#11 module/);
    } finally {
      dir.remove();
    }
  });

  for (const call of ["C_Initialize", "C_GetSlotList"]) {
    test(`end a module that hangs in ${call}, and say so`, async () => {
      const env = { ...slow.env, SLOW_MODULE_HANG_IN: call };
      const args = ["slots", "--module", slow.path, "--timeout", "400ms"];
      const { code, stderr } = await run(args, { env });
      assert.equal(code, 1);
      assert.match(stderr, /the PKCS#11 module hangs: .* did not return within 0\.4 s/);
    });
  }

  test("name the tokens that are there where none fits", async () => {
    const { code, stderr } = await runWithPin("keys", "pkcs11:token=nonesuch", ...MODULE);
    assert.equal(code, 2);
    assert.match(stderr, /no token fits pkcs11:token=nonesuch; there is .*"prod" \(serial /);
  });

  test("name the modules where a URI names none, and there are several", async () => {
    const usual = await document(["slots"]);
    const { code, stderr } = await runWithPin("keys", "pkcs11:token=prod");
    const isOnly = usual["modules"].length === 1;
    assert.equal(code, isOnly ? 0 : 2);
    assert.match(stderr, isOnly ? /^$/ : /there are several: .*libsofthsm2\.so.*--module/);
  });
});
