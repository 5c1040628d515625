import assert from "node:assert/strict";
import { test } from "node:test";
import { RecordingBus } from "../../test/recording-bus.ts";
import { BusError } from "../bus.ts";
import { Atecc608 } from "./atecc608.ts";
import { ChipError, type ChipErrorCode } from "./chip-error.ts";
import { WAKE_ATTEMPTS_MAX } from "./chip-power.ts";
import { QUEUE_WAITING_MAX } from "./command-queue.ts";

const revision = "07 00 00 60 03 83 BB";

test("the wake answer is judged by CRC and status: a failed self-test is named", async () => {
  const { chip } = chipWaking("04 07 40 C2");

  await rejects(chip.info("revision"), "chip_status_self_test");
});

test("the vendor library's constant for a failed self-test has a wrong CRC and is not believed", async () => {
  const { chip } = chipWaking("04 07 C4 40");

  await rejects(chip.info("revision"), "chip_wake_malformed");
});

test("an answer that is not a wake answer means an active chip: sleep, and another pulse", async () => {
  const { bus, chip } = chipWaking("04 00 03 40");

  await rejects(chip.info("revision"), "chip_wake_malformed");

  assert.deepEqual(bus.lines.slice(0, 6), ["wake", "R 4", "W 01", "wake", "R 4", "W 01"]);
  assert.equal(bus.lines.filter((line) => line === "wake").length, WAKE_ATTEMPTS_MAX);
});

test("where nobody acknowledges, the chip is absent after a bounded number of pulses", async () => {
  const { bus, chip } = chipWaking(undefined);

  await rejects(chip.info("revision"), "chip_absent");

  assert.equal(bus.lines.filter((line) => line === "wake").length, WAKE_ATTEMPTS_MAX);
  assert.ok(bus.monotonicMillis() < 200);
});

test("a stuck bus is not an absent chip", async () => {
  const bus = new RecordingBus([]);
  const stuck = {
    write: bus.write.bind(bus),
    read: bus.read.bind(bus),
    wake: () => Promise.reject(new BusError("bus_stuck", "SDA is held low")),
  };
  const chip = new Atecc608(stuck, { time: bus });

  await rejects(chip.info("revision"), "bus_stuck");
});

test("no pulse is sent within the watchdog's shortest time, and sleep goes before one that might not be heard", async () => {
  const bus = new RecordingBus([revision, revision, revision]);
  const chip = new Atecc608(bus, { time: bus });

  await chip.info("revision");
  await bus.delayMicros(300_000);
  await chip.serialNumber().catch(() => undefined);
  await bus.delayMicros(700_000);
  bus.lines.length = 0;
  await chip.info("revision").catch(() => undefined);

  assert.deepEqual(bus.lines.slice(0, 3), ["W 01", "wake", "R 4"]);
});

test("callers wait for each other, and one more than the bound is told so at once", async () => {
  const bus = new RecordingBus(Array.from({ length: QUEUE_WAITING_MAX + 1 }, () => revision));
  const chip = new Atecc608(bus, { time: bus });

  const served = Array.from({ length: QUEUE_WAITING_MAX + 1 }, () => chip.info("revision"));
  const refused = chip.info("revision");

  await rejects(refused, "queue_full");
  assert.equal((await Promise.all(served)).length, QUEUE_WAITING_MAX + 1);
  assert.equal(bus.unusedAnswers(), 0);
});

test("a place in the queue is free again once somebody was served, well or badly", async () => {
  const { chip } = chipWaking(undefined);

  for (let turn = 0; turn < QUEUE_WAITING_MAX + 3; turn++)
    await rejects(chip.info("revision"), "chip_absent");
});

function chipWaking(wakeAnswer: string | undefined): { bus: RecordingBus; chip: Atecc608 } {
  const bus = new RecordingBus([revision], { wakeAnswer });
  return { bus, chip: new Atecc608(bus, { time: bus }) };
}

async function rejects(promise: Promise<unknown>, code: ChipErrorCode): Promise<void> {
  await assert.rejects(promise, (error) => error instanceof ChipError && error.code === code);
}
