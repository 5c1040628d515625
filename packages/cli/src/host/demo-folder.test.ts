import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { test } from "node:test";
import { claimDemoFolder, DEMOS_MAX, openDemoDevices } from "./demo-folder.ts";

/** The default folders are below the working folder, so each test gets one of its own. */
async function inNewFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const [before, folder] = [process.cwd(), mkdtempSync(join(tmpdir(), "mayfly-demo-folder-"))];
  process.chdir(folder);
  try {
    await run(folder);
  } finally {
    process.chdir(before);
    rmSync(folder, { recursive: true });
  }
}

test("demos beside each other get folders of their own, up to the most, and a released one is taken again", async () => {
  await inNewFolder(async () => {
    const claimed = [];
    for (let number = 1; number <= DEMOS_MAX; number++) claimed.push(await claimDemoFolder(undefined));

    const names = claimed.map(({ path }) => basename(path));
    assert.deepEqual([names[0], names[1], new Set(names).size], ["demo", "demo-2", DEMOS_MAX]);
    await assert.rejects(claimDemoFolder(undefined), { code: "in_use" });

    await claimed[1]?.release();
    assert.equal(basename((await claimDemoFolder(undefined)).path), "demo-2");
  });
});

test("the claim of a process that is gone counts for nothing", async () => {
  await inNewFolder(async () => {
    const { path } = await claimDemoFolder("here");
    // No process has the largest pid there can be.
    writeFileSync(join(path, "demo.pid"), "4194304\n");

    const again = await claimDemoFolder("here");

    assert.equal(again.path, path);
    await assert.rejects(claimDemoFolder("here"), { code: "in_use" });
  });
});

test("a device's keys are made once, for their owner alone, and found again", async () => {
  await inNewFolder(async (folder) => {
    const first = await openDemoDevices(folder, { devices: 2, keysEach: 3 });
    const second = await openDemoDevices(folder, { devices: 2, keysEach: 3 });

    assert.deepEqual(second, first);
    const keys = first.flatMap((device) => device.keys);
    assert.equal(new Set(keys.map(({ publicPem }) => publicPem)).size, 6);
    assert.ok(keys.every(({ privateFile }) => (statSync(privateFile).mode & 0o777) === 0o600));
  });
});
