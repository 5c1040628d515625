import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import {
  ADDRESS,
  command,
  group,
  hexOf,
  pollAnswer,
  RFC6979_KEY,
  send,
  testChip,
  wake,
} from "../../test/sim-host.ts";
import { nodeSimCrypto } from "../host/node/sim-crypto.ts";
import type { ChipSim } from "./chip-sim.ts";
import { faultNames, NACK_STORM_TRANSACTIONS_MAX } from "./faults.ts";

const DIGEST = new Uint8Array(32).fill(7);
test("a storm of NACKs ends by itself", () => {
  const storms = Array.from({ length: 20 }, (_, seed) => {
    const sim = testChip({ seed, faults: { nack_storm: 0.5 } });
    wake(sim);
    return Array.from({ length: 200 }, () => sim.write(ADDRESS, Uint8Array.of(0x00)));
  });

  const longest = Math.max(
    ...storms.flatMap((storm) =>
      storm
        .map((answer) => (answer === "ack" ? "+" : "-"))
        .join("")
        .split("+")
        .map((run) => run.length),
    ),
  );
  assert.ok(storms.some((storm) => storm.includes("nack")) && storms.every((storm) => storm.includes("ack")));
  // Two storms may follow each other, and at one half some do.
  assert.ok(longest >= 10 && longest < 20 * NACK_STORM_TRANSACTIONS_MAX);
});

test("a flipped bit on the way in or out fails the CRC or changes the word address, and one bit only", () => {
  const sim = testChip({ faults: { flipped_bit: 1 } });
  wake(sim);

  const read = sim.read(ADDRESS, 4);

  const difference = [...(read as Uint8Array)].map(
    (byte, index) => byte ^ ([0x04, 0x11, 0x33, 0x43][index] ?? 0),
  );
  const bits = difference.reduce((sum, byte) => sum + byte.toString(2).replaceAll("0", "").length, 0);
  assert.equal(bits, 1);
});

test("a brown-out in the middle of Sign leaves a chip that sleeps, or one that shows 11 again, and never a signature", () => {
  const outcomes = Array.from({ length: 20 }, (_, seed) => {
    const sim = testChip({ seed, faults: { brown_out: 1 } });
    wake(sim);
    send(sim, 0x16, 0x43, 0, DIGEST);
    sim.write(ADDRESS, group(0x41, 0xa0, 0));
    sim.advanceMicros(200_000);
    return hexOf(sim.read(ADDRESS, 4));
  });

  assert.deepEqual([...new Set(outcomes)].sort(), ["04113343", "nack"]);
});

test("SDA stuck low stays so until nine clock pulses, the watchdog or a power cycle", () => {
  const stuckChip = (): ChipSim => {
    const sim = testChip({ faults: { stuck_sda: 1 } });
    wake(sim);
    sim.read(ADDRESS, 4);
    return sim;
  };
  const cures: readonly ((sim: ChipSim) => void)[] = [
    (sim) => {
      sim.pulseClock(8);
    },
    (sim) => {
      sim.pulseClock(9);
    },
    (sim) => {
      sim.advanceMicros(1_300_000);
    },
    (sim) => {
      sim.powerCycle();
    },
  ];

  const results = cures.map((cure) => {
    const sim = stuckChip();
    const before = sim.write(ADDRESS, Uint8Array.of(0x00));
    cure(sim);
    return [before, sim.write(ADDRESS, Uint8Array.of(0x00))];
  });

  assert.deepEqual(results, [
    ["stuck", "stuck"],
    ["stuck", "ack"],
    ["stuck", "nack"],
    ["stuck", "nack"],
  ]);
});

test("the watchdog at the worst moment takes the answer away as it is ready, and what was written stays", () => {
  const sim = testChip({ locks: "unlocked", faults: { watchdog: 1 } });
  wake(sim);

  sim.write(ADDRESS, group(0x17, 0x80, 0));
  sim.advanceMicros(50_000);

  assert.deepEqual([sim.read(ADDRESS, 4), sim.powerState(), sim.image()[9 + 87]], ["nack", "asleep", 0x00]);
});

for (const [fault, status] of [
  ["ecc_fault", "05"],
  ["watchdog_refusal", "EE"],
] as const) {
  test(`${fault} answers a Sign with its status and no signature, and no other command`, () => {
    const sim = testChip({ faults: { [fault]: 1 } });
    wake(sim);

    const nonce = send(sim, 0x16, 0x43, 0, DIGEST);
    const signed = send(sim, 0x41, 0xa0, 0);

    assert.deepEqual([hexOf(nonce), hexOf(signed)], ["00", status]);
  });
}

test("a fault with a span happens at those opportunities, both ends among them, and at no other", () => {
  const sim = testChip({ faults: { ecc_fault: { from: 2, until: 4 } } });
  wake(sim);

  const statuses = Array.from({ length: 6 }, () => {
    send(sim, 0x16, 0x43, 0, DIGEST);
    const answer = hexOf(send(sim, 0x41, 0xa0, 0));
    sim.write(ADDRESS, Uint8Array.of(0x02));
    wake(sim);
    return answer;
  });

  assert.deepEqual(
    statuses.map((status) => status === "05"),
    [false, true, true, true, false, false],
  );
});

test("slow execution stays within the vendor's maximum", () => {
  const times = Array.from({ length: 30 }, (_, seed) => {
    const sim = testChip({ seed, faults: { slow_execution: 1 } });
    wake(sim);
    send(sim, 0x16, 0x43, 0, DIGEST);
    sim.setBusHz(1_000_000);
    sim.write(ADDRESS, group(0x41, 0xa0, 0));
    const start = sim.nowMicros();
    pollAnswer(sim);
    return (sim.nowMicros() - start) / 1000;
  });

  assert.ok(Math.min(...times) >= 64 && Math.max(...times) <= 117 && Math.max(...times) > 90, String(times));
});

test("a write torn by a power cut leaves a beginning of it, and the chip asleep", () => {
  const shares = Array.from({ length: 40 }, (_, seed) => {
    const sim = testChip({ seed, locks: "config locked", faults: { torn_write: 1 } });
    wake(sim);
    sim.write(ADDRESS, group(0x12, 0x82, 0x0040, new Uint8Array(32).fill(0xff)));
    sim.advanceMicros(50_000);
    assert.equal(sim.powerState(), "asleep");
    // Slot 8 follows head 9, configuration 128, OTP 64 and eight slots of 36.
    const slot = sim.image().subarray(9 + 128 + 64 + 288, 9 + 128 + 64 + 288 + 32);
    const whole = slot.findIndex((byte) => byte !== 0xff);
    assert.ok(slot.subarray(whole + 1).every((byte) => byte === 0) || whole === -1);
    return whole;
  });

  assert.ok(new Set(shares).size > 10);
});

test("a torn lock is a lock byte that is 00, 55 or between, never a lock that opens", () => {
  const bytes = Array.from({ length: 60 }, (_, seed) => {
    const sim = testChip({ seed, locks: "unlocked", faults: { torn_write: 1 } });
    wake(sim);
    sim.write(ADDRESS, group(0x17, 0x80, 0));
    sim.advanceMicros(50_000);
    return sim.image()[9 + 87] ?? 0;
  });

  assert.ok(bytes.every((byte) => (byte & ~0x55) === 0) && new Set(bytes).size > 3);
});

test("power cut in the middle of GenKey tears the key as far as it was written", () => {
  const sim = testChip({ locks: "config locked" });
  wake(sim);
  sim.write(ADDRESS, group(0x40, 0x04, 0));
  sim.advanceMicros(30_000);

  sim.powerCycle();

  const slot = sim.image().subarray(9 + 192, 9 + 192 + 36);
  assert.notEqual(hexOf(slot.subarray(4, 12)), hexOf(RFC6979_KEY.subarray(0, 8)));
  assert.equal(hexOf(slot.subarray(28)), hexOf(RFC6979_KEY.subarray(24)));
});

test("whatever bytes come, under whatever faults: no exception, no private key on the bus, no wrong signature", () => {
  const crypto = nodeSimCrypto();
  const publicKey = crypto.publicKeyOf(RFC6979_KEY) ?? new Uint8Array(64);
  const step = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant("command"),
        opcode: fc.constantFrom(
          0x02,
          0x12,
          0x16,
          0x1b,
          0x30,
          0x40,
          0x41,
          0x45,
          0x47,
          0x17,
          0x24,
          0x15,
          0x08,
          0x28,
        ),
        param1: fc.integer({ min: 0, max: 255 }),
        param2: fc.integer({ min: 0, max: 0x1ff }),
        length: fc.constantFrom(0, 4, 20, 32, 64, 128),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant("raw"), bytes: fc.uint8Array({ maxLength: 40 }) }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("sign", "wake", "cycle", "pulses") }) },
  );
  const faults = fc.dictionary(fc.constantFrom(...faultNames), fc.constantFrom(0.02, 0.3), { maxKeys: 4 });

  fc.assert(
    fc.property(fc.nat(1000), faults, fc.array(step, { maxLength: 25 }), (seed, plan, steps) => {
      const sim = testChip({ seed, faults: plan, locks: "both locked", parts: {} });
      const seen: string[] = [];
      const note = (sim_: ChipSim, length: number): string => {
        const read = hexOf(sim_.read(ADDRESS, length));
        seen.push(read);
        return read;
      };
      for (const taken of steps) {
        sim.write(0x00, Uint8Array.of(0x01));
        sim.advanceMicros(25_000);
        if ("opcode" in taken)
          sim.write(
            ADDRESS,
            group(taken.opcode, taken.param1, taken.param2, new Uint8Array(taken.length).fill(7)),
          );
        else if ("bytes" in taken) sim.write(ADDRESS, taken.bytes);
        else if (taken.kind === "cycle") sim.powerCycle();
        else if (taken.kind === "pulses") sim.pulseClock(9);
        else if (taken.kind === "sign") {
          sim.write(ADDRESS, group(0x16, 0x43, 0, DIGEST));
          sim.advanceMicros(30_000);
          // Slot 2 keeps its key whatever is tried: no bit 13, and the data zone is locked.
          sim.write(ADDRESS, group(0x41, 0xa0, 2));
          sim.advanceMicros(120_000);
          sim.write(ADDRESS, Uint8Array.of(0x00));
          const answer = note(sim, 67);
          const isWhole =
            answer.length === 134 && answer.startsWith("43") && hexOf(group(0, 0, 0)).length > 0;
          if (isWhole && crcFits(answer)) {
            assert.ok(
              crypto.verifyDigest(
                publicKey,
                DIGEST,
                Uint8Array.from(Buffer.from(answer.slice(2, 130), "hex")),
              ),
            );
          }
        }
        sim.advanceMicros(120_000);
        note(sim, 75);
      }
      const all = seen.join("|");
      assert.ok(!all.includes(hexOf(RFC6979_KEY)) && !all.includes(hexOf(RFC6979_KEY.subarray(8, 24))));
    }),
    { numRuns: 150 },
  );
});

function crcFits(answer: string): boolean {
  const bytes = Uint8Array.from(Buffer.from(answer, "hex"));
  let crc = 0;
  for (const byte of bytes.subarray(0, -2)) {
    for (let bit = 0; bit < 8; bit += 1) {
      const feedback = ((crc >> 15) ^ (byte >> bit)) & 1;
      crc = ((crc << 1) & 0xffff) ^ (feedback === 1 ? 0x8005 : 0);
    }
  }
  return bytes.at(-2) === (crc & 0xff) && bytes.at(-1) === crc >> 8;
}

test("faults do not change the keys and signatures that come out", () => {
  const outputs = [{}, { slow_execution: 1, nack_storm: 0.01 }].map((faults) => {
    const sim = testChip({ seed: 5, locks: "config locked", faults });
    return hexOf(command(sim, 0x1b, 0x00, 0)) + hexOf(command(sim, 0x40, 0x04, 0));
  });

  assert.equal(outputs[0], outputs[1]);
});
