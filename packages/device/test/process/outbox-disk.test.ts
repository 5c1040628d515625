/**
 * Disks that are full and disks that fail, as the kernel has them: a small file system of its own, and calls that strace
 * lets fail.
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { isCi, requireService } from "../../../../tools/services.ts";

const writer = join(import.meta.dirname, "disk-full-writer.ts");
const failing = join(import.meta.dirname, "disk-failing-writer.ts");

function newFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "mayfly-disk-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test("on a full disk the outbox refuses as outbox_disk_full, what it accepted is durable, and with room it goes on", (t) => {
  const folder = newFolder(t);
  // A mount that nobody else sees, and that ends with its process.
  const small = ["--mount", ...(process.getuid?.() === 0 ? [] : ["--map-root-user"]), "sh", "-c"];
  const mayMount = spawnSync("unshare", [...small, `mount -t tmpfs -o size=3m tmpfs ${folder}`]).status === 0;
  if (!mayMount) {
    assert.ok(!isCi(), "with CI=true a small file system can be mounted");
    t.skip("this machine lets nobody mount a small file system");
    return;
  }

  const printed = execFileSync(
    "unshare",
    [...small, `mount -t tmpfs -o size=3m tmpfs "$0" && exec "$1" "$2" "$0/outbox"`, folder].concat([
      process.execPath,
      writer,
    ]),
    { encoding: "utf8" },
  );

  const seen = JSON.parse(printed) as Record<string, number | string | readonly string[]>;
  t.diagnostic(printed);
  assert.equal(seen["trouble"], "outbox_disk_full");
  assert.ok(Number(seen["acceptedWhenFull"]) > 50);
  assert.equal(seen["durableWhenFull"], seen["acceptedWhenFull"]);
  assert.equal(seen["acceptedInAll"], Number(seen["acceptedWhenFull"]) + 20);
  assert.equal(seen["durableInAll"], seen["acceptedInAll"]);
  assert.equal(seen["troubleAtLast"], "none");
});

test("a synchronisation that fails is not believed: its messages are durable only after another segment has them", (t) => {
  requireService(t, "strace");
  const folder = newFolder(t);

  const printed = execFileSync(
    "strace",
    [
      "-f",
      "-qq",
      "-e",
      "trace=fdatasync",
      "-e",
      "inject=fdatasync:error=EIO:when=3",
      "-e",
      "signal=none",
    ].concat(["-o", join(folder, "trace.txt"), process.execPath, failing, join(folder, "outbox")]),
    { encoding: "utf8" },
  );

  const seen = JSON.parse(printed) as Record<string, unknown>;
  assert.deepEqual(seen, {
    durabilities: Array.from({ length: 12 }, () => "durable"),
    trouble: "outbox_disk_failed",
    troubleAtLast: "none",
    inFirstSegment: "given up",
    recovered: 12,
  });
});
