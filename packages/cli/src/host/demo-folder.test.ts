import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { test } from "node:test";
import { SOCKET_PATH_BYTES_MAX } from "./chip-sim.ts";
import { claimDemoFolder, DEMOS_MAX, placeDemoChips } from "./demo-folder.ts";

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

test("chips lie in the demo's folder; their sockets too, unless a socket's path may not be that long", async () => {
  await inNewFolder(async (folder) => {
    const [near, far] = [join(folder, "near"), join(folder, "far-".repeat(40))];

    const short = await placeDemoChips(near, 2);
    const long = await placeDemoChips(far, 2);

    const [first] = short.chips;
    assert.equal(first?.imageFile, join(near, "devices", "sensor-1", "chip.img"));
    assert.equal(first?.socket, join(near, "devices", "sensor-1", "chip.sock"));
    const sockets = long.chips.map(({ socket }) => socket);
    assert.ok(sockets.every((socket) => socket.length <= SOCKET_PATH_BYTES_MAX && !socket.startsWith(far)));
    const elsewhere = dirname(sockets[0] ?? "");
    assert.equal(statSync(elsewhere).mode & 0o777, 0o700);
    await Promise.all([short.release(), long.release()]);
    assert.equal(existsSync(elsewhere), false);
  });
});
