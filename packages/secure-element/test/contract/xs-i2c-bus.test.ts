import assert from "node:assert/strict";
import { test } from "node:test";
import { BusError } from "../../src/bus.ts";
import type { I2cIoClass, I2cIoOptions } from "../../src/host/xs/i2c-types.ts";
import { xsChipTime } from "../../src/host/xs/xs-chip-time.ts";
import { XS_ADDRESSES_MAX, XsI2cBus } from "../../src/host/xs/xs-i2c-bus.ts";
import type { ChipSim } from "../../src/sim/chip-sim.ts";
import { simBus } from "../../src/sim/sim-bus.ts";
import { testChip } from "../sim-host.ts";
import { type BusUnderTest, busKeepsItsPromises, closedBusSaysSo } from "./i2c-bus-contract.ts";

// A stand-in for the ECMA-419 I2C class with a simulated chip behind it. The Moddable SDK and an ESP32 were not tried.

function standIn(sim: ChipSim): { io: I2cIoClass; opened: I2cIoOptions[] } {
  const opened: I2cIoOptions[] = [];
  class StandInI2c {
    readonly #options: I2cIoOptions;

    constructor(options: I2cIoOptions) {
      if (opened.some((other) => other.address === options.address)) throw new Error("duplicate address");
      opened.push(options);
      this.#options = options;
    }

    read(byteLength: number): ArrayBuffer {
      const answer = sim.read(this.#options.address, byteLength, this.#options.hz);
      if (answer === "stuck") sim.advanceMicros((this.#options.timeout ?? 400) * 1000);
      if (typeof answer === "string") throw new Error("read failed");
      return answer.slice().buffer;
    }

    write(buffer: Uint8Array): void {
      const answer = sim.write(this.#options.address, buffer, this.#options.hz);
      if (answer === "stuck") sim.advanceMicros((this.#options.timeout ?? 400) * 1000);
      if (answer !== "ack") throw new Error("write failed");
    }

    close(): void {
      opened.splice(opened.indexOf(this.#options), 1);
    }
  }
  return { io: StandInI2c, opened };
}

async function open(): Promise<BusUnderTest> {
  const sim = testChip();
  const time = simBus(sim);
  const bus = new XsI2cBus({ io: standIn(sim).io, data: 21, clock: 22, time });
  return {
    bus,
    time,
    async close() {
      bus.close();
    },
  };
}

busKeepsItsPromises("XS bus", open);
closedBusSaysSo("XS bus", open);

test("XS bus: the chip and the wake pulse have an instance each, at 100 kHz, and closing closes both", async () => {
  const sim = testChip();
  const { io, opened } = standIn(sim);
  const bus = new XsI2cBus({ io, data: 21, clock: 22, time: simBus(sim) });

  await bus.wake();
  await bus.wake();
  await bus.read(0x60, 4);

  assert.deepEqual(
    opened.map(({ address, hz }) => ({ address, hz })),
    [
      { address: 0x00, hz: 100_000 },
      { address: 0x60, hz: 100_000 },
    ],
  );
  bus.close();
  assert.equal(opened.length, 0);
});

test("XS bus: addresses are bounded, the wake pulse's not counted", async () => {
  const sim = testChip();
  const bus = new XsI2cBus({ io: standIn(sim).io, data: 21, clock: 22, time: simBus(sim) });
  await bus.wake();
  for (let index = 0; index < XS_ADDRESSES_MAX; index++) await bus.read(0x20 + index, 1);

  await assert.rejects(
    bus.read(0x60, 1),
    (error) => error instanceof BusError && error.code === "bus_failed",
  );
});

test("XS bus: a transaction that took its whole timeout is a stuck bus", async () => {
  const sim = testChip({ faults: { stuck_sda: 1 } });
  const time = simBus(sim);
  const bus = new XsI2cBus({ io: standIn(sim).io, data: 21, clock: 22, time });
  await bus.wake();
  await time.delayMicros(1_500);
  await bus.read(0x60, 4).catch(() => undefined);

  await assert.rejects(bus.read(0x60, 4), (error) => error instanceof BusError && error.code === "bus_stuck");
});

test("XS time goes on over a roll-over of the ticks, and a wait is rounded up", async () => {
  const ticks = { now: 0x7fff_fff0 };
  const waits: number[] = [];
  const time = xsChipTime(
    {
      get ticks() {
        return ticks.now | 0;
      },
      delta: (start) => (ticks.now - start) | 0,
    },
    {
      set(callback, delayMillis) {
        waits.push(delayMillis);
        callback();
      },
    },
  );

  const before = time.monotonicMillis();
  ticks.now += 0x20;
  const after = time.monotonicMillis();
  await time.delayMicros(1_500);

  assert.equal(after - before, 0x20);
  assert.deepEqual(waits, [3]);
});
