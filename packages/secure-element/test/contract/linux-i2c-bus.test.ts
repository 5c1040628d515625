import assert from "node:assert/strict";
import { test } from "node:test";
import { BusError, type BusErrorCode } from "../../src/bus.ts";
import { type I2cBusModule, openLinuxI2cBus } from "../../src/host/node/linux-i2c-bus.ts";
import type { ChipSim } from "../../src/sim/chip-sim.ts";
import { simBus } from "../../src/sim/sim-bus.ts";
import { testChip } from "../sim-host.ts";
import { type BusUnderTest, busKeepsItsPromises, closedBusSaysSo } from "./i2c-bus-contract.ts";

// A stand-in for i2c-bus with a simulated chip behind it. The package itself, and a kernel, were not tried.

function errorOf(code: string): Error {
  return Object.assign(new Error(`${code}: from the stand-in`), { code });
}

/** @param nackCode What this machine's I2C controller makes of a NACK. */
function standIn(sim: ChipSim, nackCode: string): I2cBusModule {
  return {
    async openPromisified(busNumber) {
      assert.equal(busNumber, 1);
      return {
        async i2cRead(address, length, buffer) {
          const answer = sim.read(address, length);
          if (answer === "stuck") throw errorOf("ETIMEDOUT");
          if (answer === "nack") throw errorOf(nackCode);
          buffer.set(answer);
          return { bytesRead: length };
        },
        async i2cWrite(address, length, buffer) {
          const answer = sim.write(address, new Uint8Array(buffer.subarray(0, length)));
          if (answer === "stuck") throw errorOf("ETIMEDOUT");
          if (answer === "nack") throw errorOf(nackCode);
          return { bytesWritten: length };
        },
        async close() {},
      };
    },
  };
}

for (const nackCode of ["EREMOTEIO", "ENXIO", "EIO"]) {
  const open = async (): Promise<BusUnderTest> => {
    const sim = testChip();
    const bus = await openLinuxI2cBus("/dev/i2c-1", async () => standIn(sim, nackCode));
    return { bus, time: simBus(sim), close: () => bus.close() };
  };
  busKeepsItsPromises(`Linux bus where a NACK is ${nackCode}`, open);
  if (nackCode === "EIO") closedBusSaysSo("Linux bus", open);
}

for (const [code, expected] of [
  ["ETIMEDOUT", "bus_stuck"],
  ["EAGAIN", "bus_stuck"],
  ["EBUSY", "bus_failed"],
] as const) {
  test(`Linux bus: ${code} is ${expected}, and no NACK`, async () => {
    const fails = (): Promise<never> => Promise.reject(errorOf(code));
    const bus = await openLinuxI2cBus(1, async () => ({
      openPromisified: async () => ({ i2cRead: fails, i2cWrite: fails, close: async () => {} }),
    }));

    await assert.rejects(bus.read(0x60, 4), isBusError(expected));
    await assert.rejects(bus.write(0x60, Uint8Array.of(0)), isBusError(expected));
    await assert.rejects(bus.wake(), isBusError(expected));
  });
}

test("Linux bus: an adapter that reads short has failed", async () => {
  const bus = await openLinuxI2cBus(1, async () => ({
    openPromisified: async () => ({
      i2cRead: async () => ({ bytesRead: 1 }),
      i2cWrite: async () => ({ bytesWritten: 1 }),
      close: async () => {},
    }),
  }));

  await assert.rejects(bus.read(0x60, 4), isBusError("bus_failed"));
});

test("Linux bus: a name that is no adapter's, and a device that is not there, say so", async () => {
  const absent = async (): Promise<I2cBusModule> => ({
    openPromisified: () => Promise.reject(errorOf("ENOENT")),
  });

  await assert.rejects(openLinuxI2cBus("/dev/ttyS0", absent), isBusError("bus_failed"));
  await assert.rejects(openLinuxI2cBus("/dev/i2c-9", absent), isBusError("bus_failed"));
});

test("Linux bus: without the package i2c-bus, the error says what to install", async (context) => {
  if (await isInstalled("i2c-bus")) {
    context.skip("i2c-bus is installed here");
    return;
  }

  await assert.rejects(openLinuxI2cBus("/dev/i2c-1"), (error) => {
    return error instanceof BusError && error.message.includes("npm install i2c-bus");
  });
});

async function isInstalled(name: string): Promise<boolean> {
  try {
    await import(name);
    return true;
  } catch {
    return false;
  }
}

function isBusError(code: BusErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof BusError && error.code === code;
}
