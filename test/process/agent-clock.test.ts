/**
 * `mayfly agent` as a device that keeps its time by itself: from the server's signature, from three chronyd, from a clock
 * chip behind a socket; against a real server, whose admission is the judge of the tokens it mints.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { mayfly, type Running, startMayfly, temporaryFolder } from "../../packages/cli/test/mayfly.ts";
import { startChronyd } from "../../packages/device/test/process/loopback-time.ts";
import { requireService } from "../../tools/services.ts";

interface Line {
  readonly state: string;
  readonly clock?: string;
  readonly acked: number;
}

/** A server that signs time, and a device it knows. */
async function arrange(t: TestContext) {
  requireService(t, "openssl");
  const cwd = await temporaryFolder(t);
  const run = async (...args: readonly string[]): Promise<void> => {
    const { code, stderr } = await mayfly(t, args, { cwd });
    assert.equal(code, 0, stderr);
  };
  await run("time-key", "init", "--out", "roots");
  await run("time-key", "delegate", "--root", "roots/time-root-current.key.pem");
  const server = startMayfly(t, ["serve", "--ports", "auto", "--log-level", "warn"], { cwd });
  await server.line(() => true);
  await run("registry", "create", "plant");
  const openssl = (...args: readonly string[]) => execFileSync("openssl", args, { cwd, stdio: "pipe" });
  openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "d.key");
  openssl("ec", "-in", "d.key", "-pubout", "-out", "d.pub");
  await run("device", "create", "lamp", "--public-key", join(cwd, "d.pub"), "--registry", "plant");
  const startAgent = (...args: readonly string[]): Running =>
    startMayfly(
      t,
      ["agent", "--device", "lamp", "--registry", "plant", "--key", "d.key:0", "--json", ...args],
      { cwd },
    );
  return { cwd, startAgent };
}

/** The first status line of which this is true. */
async function lineOf(agent: Running, fits: (line: Line) => boolean): Promise<Line> {
  return JSON.parse(await agent.line((text) => fits(JSON.parse(text) as Line))) as Line;
}

const isTalking = ({ state, acked }: Line): boolean => state === "connected" && acked > 0;

test("a device that only has the server's signature and a chip that had stopped connects, sets the chip, and starts from it next time", async (t) => {
  const { cwd, startAgent } = await arrange(t);
  const chip = startMayfly(
    t,
    ["chip", "sim", "--socket", "chip.sock", "--real-time", "--rtc", "--rtc-oscillator-stopped"],
    { cwd },
  );
  await chip.line((line) => line.startsWith("ready"));
  const clock = ["--rtc-socket", "chip.sock", "--state", "state"];

  const first = startAgent(...clock, "--time-pin", "roots/time-pins.pem");
  const signed = await lineOf(first, (line) => isTalking(line) && /chip is good/.test(line.clock ?? ""));
  first.kill("SIGTERM");
  await first.ended;
  // The record that is true of the chip before it was set and after is kept; the exact one follows within the hour.
  const second = startAgent(...clock);
  const held = await lineOf(second, isTalking);

  assert.match(signed.clock ?? "", /^synced .*from a signed time/);
  assert.match(held.clock ?? "", /^holdover .*from the clock chip/);
});

test("a device with three chronyd and a floor connects; without a floor of its day it waits, and says why", async (t) => {
  const servers = await Promise.all([1, 2, 3].map(() => startChronyd(t, "local stratum 3")));
  const { startAgent } = await arrange(t);
  const ntp = servers.flatMap(({ host, port }) => ["--ntp", `${host}:${port}`]);
  const floor = new Date(Math.floor(Date.now() / 1000) * 1000 - 3_600_000).toISOString().replace(".000", "");

  const commissioned = startAgent(...ntp, "--time-floor", floor);
  const talking = await lineOf(commissioned, isTalking);
  commissioned.kill("SIGTERM");
  await commissioned.ended;
  const fresh = startAgent(...ntp);
  const waiting = await lineOf(fresh, ({ clock }) => /more than a day/.test(clock ?? ""));

  assert.match(talking.clock ?? "", /^synced .*from servers that agree/);
  assert.equal(waiting.state, "waiting_for_clock");
  assert.equal(waiting.acked, 0);
});
