import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { ModuleChannel } from "../../src/hsm/module_channel.ts";
import { ModuleProcess } from "../../src/hsm/module_process.ts";
import { moduleCommand } from "../support/hsm_process.ts";
import { makeSoftHsm, type SoftHsm, softHsmPath } from "../support/softhsm.ts";

let hsm: SoftHsm;
before(() => {
  hsm = makeSoftHsm();
  hsm.addToken("prod");
});
after(() => hsm.remove());

describe("ModuleProcess", () => {
  test("replaces a process that was killed, and says so", async () => {
    const opened: ModuleChannel[] = [];
    const deaths: string[] = [];
    let openedAgain = () => {};
    const again = new Promise<void>((resolve) => openedAgain = resolve);
    const module = new ModuleProcess({
      command: moduleCommand(softHsmPath()),
      env: hsm.env,
      onOpen: (channel) => {
        opened.push(channel);
        if (opened.length === 2) openedAgain();
      },
      onDeath: (why) => deaths.push(why),
    });
    await module.opened;
    const first = module.channel!;
    first.kill("somebody wanted it gone");
    await again;
    assert.notEqual(module.channel, first);
    assert.equal((await module.channel!.ask("info", undefined)).manufacturer, "SoftHSM");
    assert.deepEqual(deaths, ["somebody wanted it gone"]);
    assert.equal(module.deaths, 1);
    await module.stop();
    assert.equal(module.channel, undefined);
  });

  test("tells what prints a module: nothing of it is lost, and it disturbs nothing", async () => {
    const lines: string[] = [];
    const script = "console.log('noise \\u001b[2J'); console.error('more noise')";
    const module = new ModuleProcess({
      command: ["node", "-e", script],
      onOutput: (line) => lines.push(line),
    });
    await assert.rejects(module.opened, { code: "HSM_FAILED", message: /exit code 0/ });
    await module.stop();
    assert.deepEqual(lines.toSorted(), ["more noise", "noise \\u{1b}[2J"]);
  });

  test("says why where the program cannot be started", async () => {
    const module = new ModuleProcess({ command: [hsm.dir.at("none")] });
    await assert.rejects(module.opened, {
      code: "HSM_MODULE",
      message: /cannot be started: .*\. It takes 20 open files: .*\(ulimit -n.*max-sessions$/,
    });
    await module.stop();
  });
});
