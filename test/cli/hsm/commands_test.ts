/** The hsm commands from the sources, on the runtime that runs the test. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { runCli } from "../../support/cli.ts";
import { keyOf } from "../../support/openssl.ts";
import { makeSoftHsm, PIN, type SoftHsm } from "../../support/softhsm.ts";

let hsm: SoftHsm;
before(() => {
  hsm = makeSoftHsm();
  hsm.addToken("prod");
  hsm.importKey("prod", keyOf("P-256"), { label: "ec", id: "01" });
});
after(() => hsm.remove());

const run = (...args: readonly string[]) => {
  const words = ["hsm", ...args, "--module", "softhsm2", "--json"];
  return runCli(words, { env: { ...hsm.env, KEYLESS_HSM_PIN: PIN } });
};

test("hsm test signs, verifies and measures", { timeout: 20_000 }, async () => {
  const load = ["--max-sessions", "3", "--duration", "50ms"];
  const { code, stdout, stderr } = await run("test", "pkcs11:token=prod;object=ec", ...load);
  assert.equal(code, 0, stderr);
  const { keys: [key], rates, recommended } = JSON.parse(stdout);
  assert.equal(key.operations.length, 6);
  for (const { operation, outcome } of key.operations) assert.equal(outcome, "verified", operation);
  assert.deepEqual(rates.map(({ sessions }: { sessions: number }) => sessions), [1, 2]);
  assert.ok([2, 3].includes(recommended.max_sessions));
});

test("hsm slots and hsm mechanisms say what is missing", { timeout: 20_000 }, async () => {
  for (const command of ["slots", "mechanisms"]) {
    const { code, stdout } = await run(command, "--require-token", "nonesuch");
    assert.equal(code, 1, command);
    const [problem] = JSON.parse(stdout).problems;
    assert.match(problem.message, /no token is labelled "nonesuch"; there is "prod"/);
  }
});
