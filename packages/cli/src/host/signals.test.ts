import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";

test("a signal that comes twice within a second is one request to end", async () => {
  const signals = JSON.stringify(join(import.meta.dirname, "signals.ts"));
  // The program drains for half a second, as one that has something to finish.
  const program = `
    const { stopSignal } = await import(${signals});
    const stop = stopSignal();
    stop.addEventListener("abort", () => setTimeout(() => process.exit(0), 500));
    setInterval(() => {}, 1_000);
    console.log("ready");
  `;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  const gone = once(child, "exit");

  child.kill("SIGTERM");
  await new Promise((resolve) => setImmediate(resolve));
  child.kill("SIGTERM");

  assert.deepEqual(await gone, [0, null]);
});
