/**
 * The driver against the simulated chip, whatever happens on the bus and to the supply.
 *
 * Random commands, random faults, one seed each. A command may fail, with an error of the closed set; it may not hang, and
 * what it returns must be true. Every byte on the bus is kept and searched for private keys.
 */
import assert from "node:assert/strict";
import { createHash, createPublicKey, verify } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { commandPort } from "../src/atecc608/command-port.ts";
import { opcodes } from "../src/atecc608/opcodes.ts";
import type { ChipTime, I2cBus } from "../src/bus.ts";
import { nodeSimCrypto } from "../src/host/node/sim-crypto.ts";
import { Atecc608, ChipError, type ReadingStyle, slotSigner } from "../src/signer.ts";
import type { ChipSim } from "../src/sim/chip-sim.ts";
import { slotOffset } from "../src/sim/eeprom.ts";
import type { FaultPlan } from "../src/sim/faults.ts";
import { decodeImage } from "../src/sim/images.ts";
import { simBus } from "../src/sim/sim-bus.ts";
import { fromHex } from "./recording-bus.ts";
import { TRACE_SERIAL, testChip } from "./sim-host.ts";
import * as trace from "./traces.ts";

const nothing = new Uint8Array(0);
const privateSlots = [0, 1, 2, 3, 4] as const;
/** Slots with KeyConfig.Lockable and PubInfo in the test chip's configuration. */
const lockableSlots = [0, 1, 4] as const;
/** Beyond the worst the bounds allow: three sequences, of which each command may wait out its deadline. */
const OPERATION_MILLIS_MAX = 8_000;
const OPERATION_TRANSACTIONS_MAX = 6_000;

type Operation =
  | { readonly kind: "sign"; readonly slot: number; readonly message: string }
  | { readonly kind: "public key" | "new key" | "lock"; readonly slot: number }
  | { readonly kind: "verify"; readonly isTrue: boolean }
  | { readonly kind: "serial" | "config" | "random" | "count" | "sleep" | "pause" };

const operations: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("sign" as const),
      slot: fc.constantFrom(0, 2, 4),
      message: fc.string(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom("public key" as const, "new key" as const),
      slot: fc.constantFrom(...lockableSlots),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("lock" as const), slot: fc.constantFrom(...lockableSlots) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("verify" as const), isTrue: fc.boolean() }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        "serial" as const,
        "config" as const,
        "random" as const,
        "count" as const,
        "sleep" as const,
        "pause" as const,
      ),
    }),
  },
);

const rare = fc.constantFrom(0, 0, 0.003, 0.03);
const often = fc.constantFrom(0, 0, 0.1, 0.5);
const faultPlans: fc.Arbitrary<FaultPlan> = fc.record({
  nack_storm: rare,
  flipped_bit: rare,
  brown_out: often,
  stuck_sda: fc.constantFrom(0, 0, 0.002),
  watchdog: often,
  slow_execution: often,
  torn_write: fc.constantFrom(0, 0, 0.1),
});

test("whatever goes wrong, the driver ends in time, says nothing false and shows no private key", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 2 ** 31 }),
      fc.array(operations, { minLength: 1, maxLength: 12 }),
      faultPlans,
      fc.constantFrom<ReadingStyle>("whole", "rewind"),
      fc.constantFrom("typical" as const, "worst" as const),
      async (seed, run, faults, readingStyle, profile) => {
        const bench = new Bench(testChip({ seed, faults, profile }), readingStyle);

        for (const operation of run) await bench.carryOut(operation);

        bench.findPrivateKeysOnBus();
      },
    ),
    { numRuns: 120 },
  );
});

test("without faults every command succeeds", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operations, { minLength: 1, maxLength: 8 }), async (run) => {
      const bench = new Bench(testChip({ seed: 7 }), "whole");

      for (const operation of run) await bench.carryOut(operation);

      // Refusals are the chip's right: a locked slot makes no new key, and does not lock twice.
      assert.deepEqual(
        bench.failures.filter((code) => code !== "chip_status_execution"),
        [],
      );
    }),
    { numRuns: 40 },
  );
});

test("digests of the awkward message lengths are signed and verify with OpenSSL", async () => {
  const bench = new Bench(testChip({ seed: 3 }), "whole");

  for (const length of [0, 63, 64, 65, 127, 128, 129, 192]) {
    await bench.carryOut({ kind: "sign", slot: 0, message: "a".repeat(length) });
  }

  assert.deepEqual(bench.failures, []);
});

test("callers at the same time each get the answer to their own question", async () => {
  const bench = new Bench(testChip({ seed: 5, faults: { brown_out: 0.1, flipped_bit: 0.002 } }), "whole");

  await Promise.all(
    [0, 2, 4, 0, 4, 2, 0].flatMap((slot, index) => [
      bench.carryOut({ kind: "sign", slot, message: `message ${index}` }),
      bench.carryOut({ kind: "serial" }),
    ]),
  );

  assert.ok(bench.failures.length < 4, `failures: ${bench.failures.join(", ")}`);
});

/** A chip, a driver, and somebody who knows what is in the chip. */
test("a chip that traffic for another device woke by accident signs all the same, whenever that was", async () => {
  for (const profile of ["typical", "worst"] as const) {
    for (let millis = 0; millis <= 1_400; millis += 50) {
      const sim = testChip({ profile });
      const bus = simBus(sim);
      const signer = slotSigner(new Atecc608(bus, { time: bus }), { slot: 0, keyId: "slot-0" });
      await signer.signDigest(fromHex(trace.digest));
      // Long enough for the driver to take the chip for asleep; then zeros that were meant for a clock.
      sim.advanceMicros(25_000_000);
      sim.write(0x00, Uint8Array.of(0x00), 100_000);
      sim.advanceMicros(millis * 1_000);

      const signature = await signer.signDigest(fromHex(trace.digest));

      assert.equal(signature.length, 64, `${millis} ms after it`);
    }
  }
});

class Bench {
  readonly failures: string[] = [];
  readonly #sim: ChipSim;
  readonly #bus: I2cBus & ChipTime;
  readonly #chip: Atecc608;
  readonly #seen: number[] = [];
  readonly #privateKeys: Uint8Array[] = [];
  #transactions = 0;
  #lastRandom: Uint8Array = nothing;

  constructor(sim: ChipSim, readingStyle: ReadingStyle) {
    this.#sim = sim;
    this.#bus = simBus(sim);
    this.#chip = new Atecc608(this.#watched(), { time: this.#bus, readingStyle });
    this.#rememberPrivateKeys();
  }

  async carryOut(operation: Operation): Promise<void> {
    const deadlineMillis = this.#bus.monotonicMillis() + OPERATION_MILLIS_MAX;
    this.#transactions = 0;
    try {
      await this.#attempt(operation);
    } catch (error) {
      if (!(error instanceof ChipError)) throw error;
      this.failures.push(error.code);
      // A stuck chip lets go when its watchdog has fired.
      await this.#bus.delayMicros(2_000_000);
    }
    assert.ok(this.#bus.monotonicMillis() < deadlineMillis, "took too long");
    this.#rememberPrivateKeys();
  }

  findPrivateKeysOnBus(): void {
    const bus = Buffer.from(this.#seen);
    for (const key of this.#privateKeys) {
      for (let at = 0; at + 6 <= key.length; at++) {
        const piece = key.subarray(at, at + 6);
        // A key torn in the making, or the test's own small one, has zeros that are found in any zeros.
        if (piece.filter((byte) => byte === 0).length > 2) continue;
        assert.equal(bus.indexOf(piece), -1, "a piece of a private key was on the bus");
      }
    }
  }

  async #attempt(operation: Operation): Promise<void> {
    switch (operation.kind) {
      case "sign": {
        const digest = new Uint8Array(createHash("sha256").update(operation.message).digest());
        const signature = await this.#chip.signDigest(operation.slot, digest);
        assert.ok(
          verifies(this.#publicKeyIn(operation.slot), operation.message, signature),
          "a wrong signature",
        );
        return;
      }
      case "public key":
        assert.deepEqual(await this.#chip.publicKey(operation.slot), this.#publicKeyIn(operation.slot));
        return;
      case "new key": {
        const key = await this.#chip[commandPort].execute(opcodes.genKey, 0x04, operation.slot, nothing, 64);
        assert.deepEqual(key, this.#publicKeyIn(operation.slot), "not the key the slot holds");
        return;
      }
      case "lock":
        await this.#chip[commandPort].execute(opcodes.lock, 0x02 | (operation.slot << 2), 0, nothing, 0);
        assert.ok(this.#isSlotLocked(operation.slot), "a lock that did not happen was reported");
        return;
      case "verify": {
        const signature = fromHex(trace.signature);
        if (!operation.isTrue) signature[40] = (signature[40] ?? 0) ^ 0x10;
        const verdict = await this.#chip.verifyDigest(
          fromHex(trace.publicKey),
          fromHex(trace.digest),
          signature,
        );
        assert.equal(verdict, operation.isTrue);
        return;
      }
      case "serial":
        assert.deepEqual(await this.#chip.serialNumber(), TRACE_SERIAL);
        return;
      case "config": {
        const zone = await this.#chip.configZone();
        assert.deepEqual(zone, decodeImage(this.#sim.image()).slice(0, 128));
        return;
      }
      case "random": {
        const random = await this.#chip.random();
        assert.notDeepEqual(random, this.#lastRandom, "the same random number twice");
        this.#lastRandom = random;
        return;
      }
      case "count": {
        const before = await this.#chip.readCounter(0);
        assert.equal(await this.#chip.incrementCounter(0), before + 1);
        return;
      }
      case "sleep":
        await this.#chip.sleep();
        return;
      case "pause":
        await this.#bus.delayMicros(1_200_000);
        return;
    }
  }

  /** The bus the driver sees: counted, written down. */
  #watched(): I2cBus {
    const count = (bytes: Uint8Array | undefined): void => {
      this.#transactions += 1;
      if (this.#transactions > OPERATION_TRANSACTIONS_MAX) throw new Error("the driver does not end");
      this.#seen.push(...(bytes ?? nothing));
    };
    return {
      write: (address, bytes) => {
        count(bytes);
        return this.#bus.write(address, bytes);
      },
      read: async (address, length) => {
        const bytes = await this.#bus.read(address, length);
        count(bytes);
        return bytes;
      },
      wake: () => {
        count(undefined);
        return this.#bus.wake();
      },
    };
  }

  #privateKeyIn(slot: number): Uint8Array {
    const eeprom = decodeImage(this.#sim.image());
    const content = eeprom.slice(slotOffset(slot), slotOffset(slot) + 36);
    // Four bytes of padding go before a private key.
    return content.slice(4, 36);
  }

  #publicKeyIn(slot: number): Uint8Array {
    const publicKey = nodeSimCrypto().publicKeyOf(this.#privateKeyIn(slot));
    assert.ok(publicKey !== undefined);
    return Uint8Array.from(publicKey);
  }

  #isSlotLocked(slot: number): boolean {
    const eeprom = decodeImage(this.#sim.image());
    return ((eeprom[88 + (slot >> 3)] ?? 0xff) & (1 << (slot & 7))) === 0;
  }

  #rememberPrivateKeys(): void {
    for (const slot of privateSlots) this.#privateKeys.push(this.#privateKeyIn(slot));
  }
}

function verifies(publicKey: Uint8Array, message: string, signature: Uint8Array): boolean {
  const coordinate = (from: number): string =>
    Buffer.from(publicKey.subarray(from, from + 32)).toString("base64url");
  const key = createPublicKey({
    format: "jwk",
    key: { kty: "EC", crv: "P-256", x: coordinate(0), y: coordinate(32) },
  });
  return verify("sha256", Buffer.from(message), { key, dsaEncoding: "ieee-p1363" }, signature);
}
