/**
 * A simulated DS3231 beside a simulated chip on one bus, a process of its own, read and set by two programs that share
 * no code: a Python client written from the datasheet, and our driver.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { Ds3231 } from "@mayfly/device";
import { nodeClock, nodeTimers } from "@mayfly/device/node";
import { openSocketBus } from "@mayfly/secure-element/node";
import { mayfly, startMayfly, temporaryFolder } from "../../packages/cli/test/mayfly.ts";
import { requireService } from "../../tools/services.ts";

const run = promisify(execFile);

interface Shown {
  readonly seconds: number;
  readonly mode: number;
  readonly century: number;
  readonly osf: number;
  readonly aging: number;
  readonly temperature: number;
}

async function startBus(t: TestContext, ...flags: readonly string[]): Promise<string> {
  const socket = join(await temporaryFolder(t), "bus.sock");
  const sim = startMayfly(t, ["chip", "sim", "--socket", socket, "--rtc", ...flags]);
  await sim.line((line) => line.startsWith("ready"));
  return socket;
}

async function python(
  t: TestContext,
  socket: string,
  ...steps: readonly string[]
): Promise<readonly Shown[]> {
  requireService(t, "python3");
  const client = join(import.meta.dirname, "rtc-client.py");
  const { stdout } = await run("python3", [client, socket, ...steps], { timeout: 20_000 });
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Shown);
}

/** Our driver and its bus; the bus has one host at a time, so it is closed before the next one. */
async function withDriver<T>(
  socket: string,
  use: (rtc: Ds3231, bus: Awaited<ReturnType<typeof openSocketBus>>) => Promise<T>,
): Promise<T> {
  const bus = await openSocketBus(socket, { time: "real" });
  try {
    return await use(new Ds3231({ bus, clock: nodeClock, timers: nodeTimers }), bus);
  } finally {
    bus.close();
  }
}

test("in real time the clock shows this machine's time, to a Python client and to our driver, beside the chip", async (t) => {
  const socket = await startBus(t, "--real-time");

  const [shown] = await python(t, socket, "read");
  const after = nodeClock.wallSeconds();
  const { reading, monotonicToWall, chip } = await withDriver(socket, async (rtc, bus) => {
    const answer = await rtc.readPhase();
    const offset = nodeClock.wallSeconds() - nodeClock.monotonicMillis() / 1000;
    await bus.wake();
    await bus.time.delayMicros(1_500);
    return { reading: answer, monotonicToWall: offset, chip: await bus.read(0x60, 4) };
  });

  assert.ok(shown && Math.abs(shown.seconds + 0.5 - after) < 2, JSON.stringify({ shown, after }));
  assert.deepEqual(
    { ...shown, seconds: 0 },
    { seconds: 0, mode: 24, century: 0, osf: 0, aging: 0, temperature: 25 },
  );
  assert.ok(reading.kind === "read");
  const wall = monotonicToWall + reading.sample.atMillis / 1000;
  // A process's start lies between the clock's first second and ours: only its own bound is exact.
  assert.ok(Math.abs(reading.sample.seconds - wall) < 0.05 + reading.sample.boundSeconds, `${wall}`);
  assert.deepEqual(chip, Uint8Array.of(0x04, 0x11, 0x33, 0x43));
});

test("a clock whose battery was empty is set by our driver; a Python client reads that time, and OSF is cleared", async (t) => {
  const socket = await startBus(t, "--real-time", "--rtc-oscillator-stopped");
  const [before] = await python(t, socket, "read");

  const answer = await withDriver(socket, (rtc) =>
    rtc.set({
      atMillis: nodeClock.monotonicMillis(),
      seconds: nodeClock.wallSeconds(),
      boundSeconds: 0.01,
    }),
  );
  const [after] = await python(t, socket, "read");
  const now = nodeClock.wallSeconds();

  assert.ok(before && before.osf === 1 && before.seconds < 946_684_800 + 60);
  assert.ok(answer.kind === "set" && answer.errorSecondsMax < 0.1, JSON.stringify(answer));
  assert.ok(after && Math.abs(after.seconds + 0.5 - now) < 2);
  assert.deepEqual([after.osf, after.mode, after.century], [0, 24, 0]);
});

test("what a Python client wrote in 12-hour mode, with the century bit, our driver reads", async (t) => {
  const socket = await startBus(t, "--real-time");
  // 11:59:00 PM on the 31st of December, century bit, 2029; aging -2.
  await python(
    t,
    socket,
    "write",
    "00",
    "0059710131922910",
    "write",
    "00",
    "00597101319229",
    "write",
    "10",
    "fe",
  );

  const reading = await withDriver(socket, (rtc) => rtc.read());

  assert.ok(reading.kind === "read");
  const written = Date.UTC(2029, 11, 31, 23, 59, 0) / 1000;
  assert.ok(Math.abs(reading.sample.seconds - written) < 5, JSON.stringify(reading));
  assert.equal(reading.aging, -2);
});

test("a clock 100 ppm fast goes over the century 8.64 s early a day, by a Python client's count in virtual time", async (t) => {
  const socket = await startBus(t, "--rtc-ppm", "100", "--rtc-time", "2099-12-31T00:00:00Z");

  const shown = await python(t, socket, "read", "delay", "86390", "read", "delay", "86400", "read");

  const sinceStart = shown.map(({ seconds, century }) =>
    // With the century bit the year 00 is 2100.
    century === 1 ? seconds - Date.UTC(2000) / 1000 + 86_400 : seconds - Date.UTC(2099, 11, 31) / 1000,
  );
  // 86,390 s and 8.639; then two days less 10 s, and 17.279.
  assert.deepEqual(sinceStart, [0, 86_398, 2 * 86_400 + 7]);
  assert.deepEqual(
    shown.map(({ century }) => century),
    [0, 0, 1],
  );
});

test("a clock chip that is described and not asked for, or shows what it cannot, is a mistake in the command", async (t) => {
  const socket = join(await temporaryFolder(t), "bus.sock");

  const without = await mayfly(t, ["chip", "sim", "--socket", socket, "--rtc-ppm", "5"]);
  const late = await mayfly(t, [
    "chip",
    "sim",
    "--socket",
    socket,
    "--rtc",
    "--rtc-time",
    "2100-01-01T00:00:00Z",
  ]);

  assert.deepEqual([without.code, late.code], [2, 2]);
  assert.match(without.stderr, /--rtc is missing/);
  assert.match(late.stderr, /2000 to 2099/);
});
