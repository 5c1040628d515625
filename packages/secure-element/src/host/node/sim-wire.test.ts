import assert from "node:assert/strict";
import { test } from "node:test";
import { testChip } from "../../../test/sim-host.ts";
import { type SimBusDevice, SimWire } from "./sim-wire.ts";

/** Answers at one address with what was last written there, and takes 1 ms for each transaction it is meant by. */
class Echo implements SimBusDevice {
  readonly seen: string[] = [];
  isHeld = false;
  #now = 500;
  #bytes: Uint8Array = new Uint8Array(0);
  readonly #address: number;

  constructor(address: number) {
    this.#address = address;
  }

  write(address: number, bytes: Uint8Array, hz: number): "ack" | "nack" {
    this.seen.push(`W ${address} ${hz}`);
    if (address !== this.#address) return "nack";
    this.#bytes = bytes;
    this.#now += 1_000;
    return "ack";
  }

  read(address: number, length: number, hz: number): Uint8Array | "nack" {
    this.seen.push(`R ${address} ${hz}`);
    return address === this.#address ? this.#bytes.slice(0, length) : "nack";
  }

  advanceMicros(micros: number): void {
    this.#now += micros;
  }

  nowMicros(): number {
    return this.#now;
  }

  isHoldingBus(): boolean {
    return this.isHeld;
  }
}

test("each transaction reaches who it is meant for, and the others NACK it", () => {
  const [a, b] = [new Echo(1), new Echo(2)];
  const wire = new SimWire([a, b]);

  const acknowledged = [1, 2, 3].map((address) => wire.write(address, Uint8Array.of(address, 9)));
  const read = [1, 2, 3].map((address) => wire.read(address, 1));

  assert.deepEqual(acknowledged, [true, true, false]);
  assert.deepEqual(read, [Uint8Array.of(1), Uint8Array.of(2), undefined]);
  assert.deepEqual(a.seen, b.seen);
});

test("all devices have one time, whoever's transaction took it", () => {
  const [a, b] = [new Echo(1), new Echo(2)];
  const wire = new SimWire([a, b]);

  wire.write(2, Uint8Array.of(0));
  wire.advanceMicros(250);

  assert.deepEqual([wire.nowMicros(), a.nowMicros(), b.nowMicros()], [1_250, 1_750, 1_750]);
});

test("while one device holds the bus the others hear nothing", () => {
  const [a, b] = [new Echo(1), new Echo(2)];
  const wire = new SimWire([a, b]);
  b.isHeld = true;

  const outcomes = [wire.write(1, Uint8Array.of(7)), wire.read(1, 1)];
  const heard = a.seen.length;
  b.isHeld = false;

  assert.deepEqual([...outcomes, heard, wire.write(1, Uint8Array.of(7))], [false, undefined, 0, true]);
});

test("the bus's speed is told with each transaction, and a chip beside another device wakes as ever", () => {
  const echo = new Echo(0x68);
  const wire = new SimWire([testChip(), echo]);

  wire.write(0, Uint8Array.of(1));
  wire.setBusHz(400_000);
  wire.advanceMicros(1_500);
  const woken = wire.read(0x60, 4);

  assert.deepEqual(woken, Uint8Array.of(0x04, 0x11, 0x33, 0x43));
  assert.deepEqual(echo.seen, ["W 0 100000", "R 96 400000"]);
});
