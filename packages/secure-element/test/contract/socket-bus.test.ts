import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { BusError } from "../../src/bus.ts";
import { startChipSocketServer } from "../../src/host/node/chip-socket-server.ts";
import { openSocketBus, SOCKET_REQUESTS_MAX, type SocketBusOptions } from "../../src/host/node/socket-bus.ts";
import { testChip } from "../sim-host.ts";
import { type BusUnderTest, busKeepsItsPromises, closedBusSaysSo } from "./i2c-bus-contract.ts";

async function overUnixSocket(options: SocketBusOptions = {}): Promise<BusUnderTest> {
  const folder = await mkdtemp(join(tmpdir(), "chip-"));
  const path = join(folder, "chip.sock");
  const realTime = options.time === "real";
  const server = await startChipSocketServer({ sim: testChip(), listen: path, realTime });
  const bus = await openSocketBus(path, options);
  return {
    bus,
    time: bus.time,
    isRealTime: realTime,
    async close() {
      bus.close();
      await server.close();
      await rm(folder, { recursive: true });
    },
  };
}

async function overTcp(options: SocketBusOptions = {}): Promise<BusUnderTest> {
  const server = await startChipSocketServer({ sim: testChip(), listen: { host: "127.0.0.1", port: 0 } });
  const bus = await openSocketBus(server.address, options);
  return {
    bus,
    time: bus.time,
    async close() {
      bus.close();
      await server.close();
    },
  };
}

busKeepsItsPromises("bus behind a Unix socket", () => overUnixSocket());
busKeepsItsPromises("bus behind a Unix socket in real time", () => overUnixSocket({ time: "real" }));
busKeepsItsPromises("bus behind TCP at 400 kHz", () => overTcp({ hz: 400_000 }));
closedBusSaysSo("bus behind a Unix socket", () => overUnixSocket());

test("where no simulator listens, opening the bus says so", async () => {
  await assert.rejects(
    openSocketBus(join(tmpdir(), "no-such-chip.sock")),
    (error) => error instanceof BusError && error.code === "bus_failed",
  );
});

test("requests beyond the bound are refused and the others answered", async () => {
  const { bus, close } = await overTcp();

  const answers = await Promise.allSettled(
    Array.from({ length: SOCKET_REQUESTS_MAX + 1 }, () => bus.read(0x36, 4)),
  );
  await close();

  assert.deepEqual(
    answers.map((answer) => answer.status === "fulfilled"),
    Array.from({ length: SOCKET_REQUESTS_MAX + 1 }, (_, index) => index < SOCKET_REQUESTS_MAX),
  );
});

test("a simulator that goes away in the middle of a request fails it", async () => {
  const server = createServer((socket) => {
    socket.once("data", () => {
      socket.write(Uint8Array.of(0, 0, 0));
      socket.once("data", () => socket.destroy());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const bus = await openSocketBus(`127.0.0.1:${address.port}`);

  await assert.rejects(
    bus.read(0x60, 4),
    (error) => error instanceof BusError && error.code === "bus_closed",
  );

  server.close();
});
