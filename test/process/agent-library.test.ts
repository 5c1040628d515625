/**
 * The ten lines that the docs show to whoever embeds the agent, run as they stand against a bridge.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFileSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { BridgeProcess } from "./bridge-process.ts";

const page = new URL("../../docs/reference/agent-service.md", import.meta.url);

test("the ten lines of the documentation publish a message that the bridge acknowledges", async (t) => {
  const code = /```ts\n(.*?)```/s.exec(readFileSync(page, "utf8"))?.[1] ?? "";
  const bridge = new BridgeProcess();
  t.after(() => bridge.end());
  await bridge.start();
  await bridge.createRegistry();
  const key = await bridge.createDevice("lamp");
  const folder = bridge.folder;
  copyFileSync(key, join(folder, "lamp.key"));
  copyFileSync(bridge.endpoints.ca, join(folder, "roots.pem"));
  // As an installed program finds them.
  symlinkSync(join(import.meta.dirname, "..", "..", "node_modules"), join(folder, "node_modules"));
  writeFileSync(join(folder, "device.ts"), code.replace("port: 8883", `port: ${bridge.port}`));

  const { stdout } = await promisify(execFile)(process.execPath, [join(folder, "device.ts")], {
    cwd: folder,
    timeout: 30_000,
  });

  assert.ok(code.split("\n").length <= 16);
  assert.equal(stdout, "acknowledged\n");
});
