import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { KeylessError } from "../../src/errors/errors.ts";
import { CallHung } from "../../src/hsm/module_channel.ts";
import { Recovery, type RecoveryOptions } from "../../src/hsm/recovery.ts";

/** A token whose every step is written down. */
function makeRecovery(options: Partial<RecoveryOptions> = {}) {
  const steps: string[] = [];
  let wake = () => {};
  const note = (name: string) => {
    steps.push(name);
    wake();
  };
  const step = (name: string) => async () => {
    note(name);
    await Promise.resolve();
  };
  const all: RecoveryOptions = {
    look: async () => {
      await step("look")();
      return true;
    },
    mend: step("mend"),
    letGo: step("letGo"),
    open: step("open"),
    made: () => 0,
    hasProcess: () => true,
    isShared: () => false,
    onFailed: (why, isNew) => note(`${isNew ? "failed" : "failed again"}: ${why}`),
    onBack: () => note("back"),
    onStuck: () => note("stuck"),
    ...options,
  };
  const recovery = new Recovery(all);
  /** Resolves when that step was made so many times in all. */
  const until = async (name: string, count = 1) => {
    while (steps.filter((each) => each === name).length < count) {
      await new Promise<void>((resolve) => wake = resolve);
    }
  };
  const ended = async () => {
    while (recovery.isRunning) await new Promise((resolve) => setTimeout(resolve, 1));
  };
  return { recovery, steps, until, ended };
}

const failing = (code: "HSM_PIN" | "FILE_READ" | "HSM_FAILED") => () =>
  Promise.reject(new KeylessError(code, "why"));

describe("a recovery", () => {
  test("keeps a login that holds", async () => {
    const { recovery, steps, ended } = makeRecovery();
    recovery.start("lost", true);
    assert.equal(recovery.why, "lost");
    await ended();
    assert.deepEqual(steps, ["look", "mend"]);
    assert.equal(recovery.why, undefined);
  });

  test("sees to what is lost while it ends, in whatever moment", async () => {
    for (let turns = 0; turns < 12; turns++) {
      const { recovery, steps, until } = makeRecovery({
        mend: async () => {
          if (steps.filter((step) => step === "look").length > 1) return;
          const lose = async () => {
            for (let turn = 0; turn < turns; turn++) await Promise.resolve();
            recovery.start("lost again", false);
          };
          void lose();
          await Promise.resolve();
        },
      });
      recovery.start("lost", false);
      await until("look", 2);
      recovery.close();
    }
  });

  test("begins anew where the login does not hold, once all is let go of", async () => {
    const { recovery, steps, ended } = makeRecovery({ look: () => Promise.resolve(false) });
    recovery.start("lost", false);
    await ended();
    assert.deepEqual(steps, ["letGo", "open"]);
  });

  test("begins anew where the login holds but brings nothing", async () => {
    const { recovery, steps, ended } = makeRecovery({ mend: failing("HSM_FAILED") });
    recovery.start("lost", false);
    await ended();
    assert.deepEqual(steps, ["look", "letGo", "open"]);
    assert.equal(recovery.isAway, false);
  });

  test("waits longer each time, and logs in where there was no signature between", async () => {
    const { recovery, steps, ended } = makeRecovery();
    const tookMs: number[] = [];
    for (let count = 0; count < 4; count++) {
      const sinceMs = performance.now();
      recovery.start("lost", false);
      await ended();
      tookMs.push(performance.now() - sinceMs);
    }
    assert.deepEqual(steps, ["look", "mend", "look", "mend", "letGo", "open", "letGo", "open"]);
    for (const [index, leastMs] of [0, 95, 195, 395].entries()) {
      assert.ok(tookMs[index]! >= leastMs, `${tookMs}`);
    }
  });

  test("looks at once at what is lost while it waits", async () => {
    const { recovery, steps, until, ended } = makeRecovery({ made: counter() });
    for (let count = 0; count < 4; count++) {
      recovery.start("lost", false);
      await ended();
    }
    recovery.start("lost", false);
    await until("look", 5);
    const sinceMs = performance.now();
    await Promise.resolve();
    recovery.start("another", false);
    await until("look", 6);
    assert.ok(performance.now() - sinceMs < 400);
    await ended();
    assert.equal(steps.filter((step) => step === "mend").length, 5);
  });

  test("has the module started again where that may help", async () => {
    const { recovery, steps, until } = makeRecovery({
      look: () => Promise.resolve(false),
      open: failing("HSM_FAILED"),
    });
    recovery.start("lost", true);
    await until("stuck", 2);
    recovery.close();
    assert.deepEqual(steps.filter((step) => !step.startsWith("letGo")), [
      ...["failed: why", "failed again: why", "stuck", "failed again: why", "failed again: why"],
      "stuck",
    ]);
    assert.equal(recovery.isAway, true);
  });

  for (const code of ["HSM_PIN", "FILE_READ"] as const) {
    test(`does not have the module started again for ${code}`, async () => {
      const { recovery, steps, until } = makeRecovery({
        look: () => Promise.resolve(false),
        open: failing(code),
      });
      recovery.start("lost", true);
      await until("failed again: why", 3);
      recovery.close();
      assert.equal(steps.includes("stuck"), false);
    });
  }

  test("tells when the token is back", async () => {
    let tries = 0;
    const { recovery, steps, ended } = makeRecovery({
      look: () => Promise.resolve(false),
      open: () => tries++ === 0 ? failing("HSM_FAILED")() : Promise.resolve(),
    });
    recovery.start("lost", true);
    await ended();
    assert.deepEqual(steps, ["letGo", "failed: why", "letGo", "back"]);
    assert.deepEqual([recovery.why, recovery.isAway], [undefined, false]);
  });

  test("waits for a process that is started again", async () => {
    let hasProcess = false;
    const { recovery, steps, until, ended } = makeRecovery({ hasProcess: () => hasProcess });
    recovery.start("it died", true);
    await until("letGo");
    hasProcess = true;
    recovery.start("it was started again", true);
    await ended();
    assert.deepEqual(steps.slice(0, 2), ["letGo", "look"]);
    assert.equal(recovery.why, undefined);
  });
});

describe("a token that hangs", () => {
  const hanging = () => Promise.reject(new CallHung("HSM_FAILED", "it hangs"));

  for (const [whose, isShared] of [["others'", true], ["its own", false]] as const) {
    test(`is ${isShared ? "left alone after" : "tried beyond"} two times in ${whose} process`, async () => {
      let tries = 0;
      const { recovery, steps, until } = makeRecovery({
        look: () => Promise.resolve(false),
        open: () => {
          tries += 1;
          return hanging();
        },
        isShared: () => isShared,
      });
      recovery.start("lost", true);
      await until("failed again: it hangs", 2);
      if (!isShared) await until("failed again: it hangs", 3);
      recovery.close();
      assert.equal(tries, isShared ? 2 : 4, `${steps}`);
    });
  }
});

/** A signature was made in between, each time. */
function counter(): () => number {
  let count = 0;
  return () => count++;
}
