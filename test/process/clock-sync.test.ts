/** What chronyd says of its clock, asked through its own chronyc: a daemon that touches no clock and knows no server. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { askClockSync } from "../../packages/server/src/host/clock-sync.ts";
import { requireService } from "../../tools/services.ts";

/** @returns `chronyc` with the arguments that reach a chronyd of our own, which keeps no clock (`-x`). */
async function startChronyd(t: TestContext): Promise<readonly [string, ...string[]]> {
  const folder = mkdtempSync(join(tmpdir(), "mayfly-chrony-"));
  chmodSync(folder, 0o700); // chronyd makes its socket nowhere else
  const socket = join(folder, "chronyd.sock");
  const configuration = join(folder, "chrony.conf");
  const lines = ["port 0", "cmdport 0", `bindcmdaddress ${socket}`, `pidfile ${join(folder, "pid")}`];
  writeFileSync(configuration, `${lines.join("\n")}\n`);
  const path = `${process.env["PATH"]}:/usr/sbin`;
  const user = userInfo().username;
  const daemon = spawn("chronyd", ["-x", "-U", "-u", user, "-d", "-f", configuration], {
    stdio: "ignore",
    env: { ...process.env, PATH: path },
  });
  t.after(() => {
    daemon.kill("SIGKILL");
    rmSync(folder, { recursive: true });
  });
  while (!existsSync(socket)) {
    if (daemon.exitCode !== null) throw new Error(`chronyd ended with ${daemon.exitCode}`);
    await wait(20);
  }
  return ["chronyc", "-h", socket];
}

test("chronyd without a source is unsynchronised, and synchronised once it has one", async (t) => {
  requireService(t, "chronyd");
  const chronyc = await startChronyd(t);
  const sources = { timesyncFolder: "/nonexistent", chronyc };

  const alone = await askClockSync(sources);
  const [program, ...args] = chronyc;
  execFileSync(program, [...args, "local"], { stdio: "ignore" }); // its own clock, taken for a source
  const withSource = await askClockSync(sources);

  assert.deepEqual([alone, withSource], ["unsynchronised", "synchronised"]);
});
