import assert from "node:assert/strict";
import { test } from "node:test";
import { threadCpuClock } from "../../src/runtime/thread_cpu.ts";

test("the clock of a thread's CPU time goes on while it computes, and not while it waits", async () => {
  const cpuMs = threadCpuClock()!;
  const beforeWait = cpuMs();
  await new Promise((resolve) => setTimeout(resolve, 200));
  const waited = cpuMs() - beforeWait;
  assert.ok(waited < 100, `${waited} ms for waiting`);

  const before = cpuMs();
  const begun = performance.now();
  while (cpuMs() - before < 20) Math.sqrt(begun);
  const lasted = performance.now() - begun;
  assert.ok(lasted >= 19, `20 ms of CPU time in ${lasted} ms`);
});
