import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import {
  ADDRESS,
  bytesOf,
  command,
  everyKindOfSlot,
  group,
  hexOf,
  pollAnswer,
  SECRET,
  send,
  testChip,
  wake,
} from "../../test/sim-host.ts";
import { nodeSimCrypto } from "../host/node/sim-crypto.ts";
import type { ChipSim } from "./chip-sim.ts";
import { createChipSim } from "./chip-sim.ts";
import { decodeCounter, encodeCounter } from "./commands/counter.ts";
import { IMAGE_FILE_BYTES, ImageError } from "./images.ts";

const W = (sim: ChipSim, ...bytes: readonly number[]): string => sim.write(ADDRESS, Uint8Array.from(bytes));
const R = (sim: ChipSim, length: number): string => hexOf(sim.read(ADDRESS, length));
const INFO = group(0x30, 0x00, 0);
const READ_LOCKS = group(0x02, 0x00, 0x15);
const withConfig = (at: number, ...bytes: readonly number[]): Uint8Array => {
  const configuration = everyKindOfSlot("both locked");
  configuration.set(bytes, at - 16);
  return configuration;
};

// ---- power states and wake

test("a chip that sleeps NACKs its address", () => {
  const sim = testChip();

  assert.deepEqual([W(sim, 0x00), R(sim, 4)], ["nack", "nack"]);
});

test("any byte to address 0 at 100 kHz wakes, and is itself NACKed", () => {
  for (const bytes of [[], [0x00], [0x01], [0xff, 0xff]]) {
    const sim = testChip();

    const result = sim.write(0x00, Uint8Array.from(bytes), 100_000);

    assert.deepEqual([result, sim.powerState()], ["nack", "active"]);
  }
});

test("at 400 kHz the pulse is too short to wake", () => {
  const sim = testChip();

  sim.write(0x00, Uint8Array.of(0x00), 400_000);

  assert.equal(sim.powerState(), "asleep");
});

test("133 kHz is slow enough, 134 kHz is not", () => {
  const states = [133_000, 134_000].map((hz) => {
    const sim = testChip();
    sim.setBusHz(hz);
    sim.write(0x00, Uint8Array.of(0x00));
    return sim.powerState();
  });

  assert.deepEqual(states, ["active", "asleep"]);
});

test("before tWHI is over the chip NACKs", () => {
  const sim = testChip();
  sim.write(0x00, Uint8Array.of(0x00), 100_000);

  sim.advanceMicros(1_300);
  const early = R(sim, 4);
  sim.advanceMicros(200);

  assert.deepEqual([early, R(sim, 4)], ["nack", "04113343"]);
});

test("with power-on self-test a wake from sleep takes 20 ms, and one from idle does not", () => {
  const sim = testChip({ parts: { configuration: withConfig(90, 0x01, 0x00) } });
  wake(sim);
  const early = R(sim, 4);
  sim.advanceMicros(18_500);
  const ready = R(sim, 4);
  W(sim, 0x02);

  wake(sim);

  assert.deepEqual([early, ready, R(sim, 4)], ["nack", "04113343", "04113343"]);
});

test("a failed power-on self-test shows 04 07 40 C2 and holds until the power is cut", () => {
  const sim = testChip({
    parts: { configuration: withConfig(90, 0x01, 0x00) },
    faults: { self_test_failure: 1 },
  });
  wake(sim);
  sim.advanceMicros(20_000);

  const answers = [R(sim, 4), hexOf(send(sim, 0x30, 0x00, 0))];

  assert.deepEqual(answers, ["040740C2", "07"]);
});

test("a wake pulse to an active chip is ignored: the output buffer still holds the last answer", () => {
  const sim = testChip();
  wake(sim);
  sim.write(ADDRESS, INFO);
  sim.advanceMicros(5_000);

  wake(sim);

  assert.equal(R(sim, 7), "070000600383BB");
});

test("a wake pulse in the middle of a command changes nothing", () => {
  const sim = testChip();
  wake(sim);
  sim.write(ADDRESS, INFO);

  sim.write(0x00, Uint8Array.of(0x00), 100_000);
  sim.advanceMicros(5_000);

  assert.equal(R(sim, 7), "070000600383BB");
});

test("another address is NACKed, awake or not", () => {
  const sim = testChip();
  wake(sim);

  assert.deepEqual([sim.write(0x61, INFO), sim.read(0x35, 4)], ["nack", "nack"]);
});

test("idle keeps TempKey, Message Digest Buffer and a running SHA", () => {
  const sim = testChip();
  wake(sim);
  send(sim, 0x16, 0x43, 0, new Uint8Array(32).fill(7));
  send(sim, 0x16, 0x03, 0, new Uint8Array(32).fill(9));
  send(sim, 0x47, 0x00, 0);

  W(sim, 0x02);
  wake(sim);

  assert.equal(send(sim, 0x41, 0xa0, 0).length, 64);
  assert.equal(send(sim, 0x41, 0x80, 0).length, 64);
  assert.equal(send(sim, 0x47, 0xc2, 0).length, 32);
});

test("sleep loses TempKey, Message Digest Buffer, a running SHA and the output buffer", () => {
  const sim = testChip();
  wake(sim);
  send(sim, 0x16, 0x43, 0, new Uint8Array(32).fill(7));
  send(sim, 0x16, 0x03, 0, new Uint8Array(32).fill(9));
  send(sim, 0x47, 0x00, 0);

  W(sim, 0x01);
  wake(sim);

  const answers = [
    R(sim, 4),
    send(sim, 0x41, 0xa0, 0),
    send(sim, 0x41, 0x80, 0),
    send(sim, 0x47, 0xc2, 0),
  ].map(hexOf);
  assert.deepEqual(answers, ["04113343", "0F", "0F", "0F"]);
});

test("an idle chip NACKs everything but the wake pulse", () => {
  const sim = testChip();
  wake(sim);

  W(sim, 0x02);

  assert.deepEqual([W(sim, 0x00), R(sim, 4), sim.powerState()], ["nack", "nack", "idle"]);
});

// ---- read pointer and word addresses

test("reads go on where the last one stopped", () => {
  const sim = testChip();
  wake(sim);

  assert.deepEqual([R(sim, 1), R(sim, 2), R(sim, 1)], ["04", "1133", "43"]);
});

test("word address 0 rewinds the read pointer, with data after it or none", () => {
  const sim = testChip();
  wake(sim);
  R(sim, 4);

  W(sim, 0x00);
  const again = R(sim, 4);
  W(sim, 0x00, 0x55);

  assert.deepEqual([again, R(sim, 4)], ["04113343", "04113343"]);
});

test("a read past the end gives FF, and only a rewind brings the answer back", () => {
  const sim = testChip();
  wake(sim);

  const reads = [R(sim, 6), R(sim, 4)];
  W(sim, 0x00);

  assert.deepEqual([...reads, R(sim, 4)], ["04113343FFFF", "FFFFFFFF", "04113343"]);
});

test("a new answer is read from its start without a rewind", () => {
  const sim = testChip();
  wake(sim);
  R(sim, 3);

  sim.write(ADDRESS, INFO);
  sim.advanceMicros(5_000);

  assert.equal(R(sim, 7), "070000600383BB");
});

test("reserved word addresses and a write of no bytes are acknowledged and do nothing", () => {
  const sim = testChip();
  wake(sim);

  const results = [W(sim, 0x04), W(sim, 0xff, 0x01), W(sim)];

  assert.deepEqual([...results, R(sim, 4)], ["ack", "ack", "ack", "04113343"]);
});

// ---- command groups

test("while a command executes reads and writes are NACKed, a rewind too", () => {
  const sim = testChip();
  wake(sim);
  sim.write(ADDRESS, group(0x1b, 0x00, 0));

  assert.deepEqual([W(sim, 0x00), R(sim, 1), W(sim, 0x02)], ["nack", "nack", "nack"]);
});

test("a flipped bit anywhere in a command is answered FF, and the command is not executed", () => {
  const counterUp = group(0x24, 0x01, 0);
  for (let bit = 16; bit < counterUp.length * 8; bit += 1) {
    const sim = testChip();
    wake(sim);
    const flipped = counterUp.with(bit >> 3, (counterUp[bit >> 3] ?? 0) ^ (1 << (bit & 7)));

    sim.write(ADDRESS, flipped);

    assert.equal(hexOf(pollAnswer(sim)), "FF", `bit ${String(bit)}`);
    assert.equal(hexOf(send(sim, 0x24, 0x00, 0)), "00000000");
  }
});

test("a bad CRC comes before an opcode that does not exist", () => {
  const sim = testChip();
  wake(sim);

  sim.write(ADDRESS, bytesOf("03 07 FE 00 00 00 00 00"));

  assert.equal(hexOf(pollAnswer(sim)), "FF");
});

test("a good CRC and an opcode that does not exist is 03", () => {
  const sim = testChip();
  wake(sim);

  assert.equal(hexOf(send(sim, 0xfe, 0, 0)), "03");
});

test("counts below 7 and above 151 are answered FF", () => {
  for (const count of [0, 6, 152, 255]) {
    const sim = testChip();
    wake(sim);

    W(sim, 0x03, count, 0x30, 0x00, 0x00, 0x00, 0x03, 0x5d);

    assert.equal(hexOf(pollAnswer(sim)), "FF");
  }
});

test("bytes after a whole group are a length error", () => {
  const sim = testChip();
  wake(sim);

  sim.write(ADDRESS, Uint8Array.of(...INFO, 0x00));

  assert.equal(hexOf(pollAnswer(sim)), "FF");
});

test("a group may come in two writes, and nothing is read in between", () => {
  const sim = testChip();
  wake(sim);
  sim.write(ADDRESS, INFO.subarray(0, 4));

  const between = R(sim, 4);
  sim.write(ADDRESS, Uint8Array.of(0x03, ...INFO.subarray(4)));

  assert.deepEqual([between, hexOf(pollAnswer(sim))], ["nack", "00006003"]);
});

test("a rewind gives up an unfinished group with FF, and the next command is taken", () => {
  const sim = testChip();
  wake(sim);
  sim.write(ADDRESS, INFO.subarray(0, 4));

  const cut = hexOf(pollAnswer(sim));

  assert.deepEqual([cut, hexOf(send(sim, 0x30, 0x00, 0))], ["FF", "00006003"]);
});

// ---- time

for (const [profile, chipMode, millis] of [
  ["typical", 0x00, 65],
  ["worst", 0x00, 115],
  ["worst", 0x28, 220],
  ["worst", 0x68, 665],
] as const) {
  test(`Sign takes ${String(millis)} ms with ChipMode ${chipMode.toString(16)} in the ${profile} profile`, () => {
    const sim = testChip({ profile, parts: { configuration: withConfig(19, chipMode) } });
    wake(sim);
    send(sim, 0x16, 0x43, 0, new Uint8Array(32).fill(7));
    sim.setBusHz(1_000_000);
    sim.write(ADDRESS, group(0x41, 0xa0, 0));

    sim.advanceMicros(millis * 1000 - 200);
    const early = W(sim, 0x00);
    sim.advanceMicros(200);

    assert.deepEqual([early, W(sim, 0x00)], ["nack", "ack"]);
  });
}

test("a refused command answers within a few milliseconds", () => {
  const sim = testChip();
  wake(sim);

  sim.write(ADDRESS, group(0x41, 0xa0, 0));
  sim.advanceMicros(3_000);

  assert.equal(R(sim, 4), "040F2342");
});

test("the watchdog puts the chip to sleep 1.3 s after its wake, and TempKey with it", () => {
  const sim = testChip();
  wake(sim);
  send(sim, 0x16, 0x43, 0, new Uint8Array(32).fill(7));

  sim.advanceMicros(1_300_000);
  const state = sim.powerState();
  wake(sim);

  assert.deepEqual([state, hexOf(send(sim, 0x41, 0xa0, 0))], ["asleep", "0F"]);
});

test("ChipMode bit 2 makes the watchdog ten times as long", () => {
  const sim = testChip({ parts: { configuration: withConfig(19, 0x04) } });
  wake(sim);

  sim.advanceMicros(12_000_000);
  const before = sim.powerState();
  sim.advanceMicros(1_000_000);

  assert.deepEqual([before, sim.powerState()], ["active", "asleep"]);
});

test("a command that would outlast the watchdog is refused with EE; idle and wake give it its time", () => {
  const sim = testChip();
  wake(sim);
  send(sim, 0x16, 0x43, 0, new Uint8Array(32).fill(7));
  sim.advanceMicros(1_240_000);

  const late = hexOf(send(sim, 0x41, 0xa0, 0));
  W(sim, 0x02);
  wake(sim);

  assert.deepEqual([late, send(sim, 0x41, 0xa0, 0).length], ["EE", 64]);
});

// ---- what survives what

test("a power cycle keeps zones and locks and loses the rest", () => {
  const sim = testChip({ locks: "config locked" });
  command(sim, 0x12, 0x82, 0x0040, new Uint8Array(32).fill(0xab));
  command(sim, 0x17, 0x81, 0);
  command(sim, 0x16, 0x43, 0, new Uint8Array(32).fill(7));

  sim.powerCycle();

  assert.equal(sim.powerState(), "asleep");
  assert.equal(hexOf(command(sim, 0x02, 0x82, 0x0040)), "AB".repeat(32));
  assert.equal(hexOf(command(sim, 0x41, 0xa0, 0)), "0F");
});

test("the persistent latch survives sleep and not a power cycle", () => {
  const sim = testChip({ parts: { configuration: withConfig(69, 0x80) } });
  command(sim, 0x30, 0x04, 3);
  W(sim, 0x01);

  const afterSleep = hexOf(command(sim, 0x30, 0x04, 0));
  sim.powerCycle();

  assert.deepEqual([afterSleep, hexOf(command(sim, 0x30, 0x04, 0))], ["01000000", "00000000"]);
});

test("CheckMac's authorisation and PersistentDisable are asked for by the slots that name them", () => {
  const configuration = withConfig(69, 0x80);
  configuration.set([0x33, 0x10], 96 - 16);
  const sim = testChip({ parts: { configuration } });
  command(sim, 0x16, 0x43, 0, new Uint8Array(32).fill(7));

  const closed = hexOf(command(sim, 0x41, 0xa0, 0));
  command(sim, 0x30, 0x04, 3);

  assert.deepEqual([closed, command(sim, 0x41, 0xa0, 0).length], ["0F", 64]);
});

test("UserExtraAdd becomes the address after the next sleep, where ChipMode says so", () => {
  const sim = testChip({ parts: { configuration: withConfig(19, 0x01) } });
  command(sim, 0x20, 0x01, 0x6a);

  const before = sim.write(ADDRESS, Uint8Array.of(0x00));
  W(sim, 0x01);
  wake(sim);

  assert.deepEqual([before, sim.write(ADDRESS, INFO), sim.write(0x35, INFO)], ["ack", "nack", "ack"]);
});

test("an image brings back the same chip, and a damaged one is refused", () => {
  const sim = testChip();
  const publicKey = hexOf(command(sim, 0x40, 0x00, 0));
  const image = sim.image();

  const again = createChipSim({ crypto: nodeSimCrypto(), image });

  assert.equal(image.length, IMAGE_FILE_BYTES);
  assert.equal(hexOf(command(again, 0x40, 0x00, 0)), publicKey);
  for (const bad of [
    image.slice(0, -1),
    image.with(700, (image[700] ?? 0) ^ 1),
    image.with(0, 0),
    image.with(8, 9),
  ]) {
    assert.throws(() => createChipSim({ crypto: nodeSimCrypto(), image: bad }), ImageError);
  }
});

test("one seed gives one chip: serial number, keys, random numbers and signatures", () => {
  const history = (seed: number): string => {
    const sim = createChipSim({ crypto: nodeSimCrypto(), seed, image: "mayfly" });
    command(sim, 0x16, 0x43, 0, new Uint8Array(32).fill(7));
    return [
      command(sim, 0x02, 0x80, 0),
      command(sim, 0x40, 0x00, 0),
      command(sim, 0x41, 0xa0, 0),
      command(sim, 0x1b, 0, 0),
    ]
      .map(hexOf)
      .join("");
  };

  assert.equal(history(7), history(7));
  assert.notEqual(history(7), history(8));
});

for (const [image, address, lockBytes] of [
  ["factory-fresh", 0x60, "00005555"],
  ["trust-and-go", 0x35, "00000000"],
  ["mayfly", 0x60, "00000000"],
] as const) {
  test(`the ${image} image answers at its address with its locks`, () => {
    const sim = createChipSim({ crypto: nodeSimCrypto(), seed: 1, image });
    wake(sim);

    sim.write(address, READ_LOCKS);

    assert.equal(hexOf(pollAnswer(sim, address)), lockBytes);
  });
}

// ---- stores

test("TempKey, Message Digest Buffer and Alternate Key Buffer do not share a byte", () => {
  const sim = testChip();
  const stores = [0x03, 0x43, 0x83];
  const results = stores.map((mode) => {
    sim.powerCycle();
    command(sim, 0x16, mode, 0, new Uint8Array(32).fill(7));
    return [0x80, 0xa0].map((sign) => command(sim, 0x41, sign, 0).length === 64);
  });

  assert.deepEqual(results, [
    [true, false],
    [false, true],
    [false, false],
  ]);
});

test("Info State shows where TempKey came from and whether it is valid", () => {
  const sim = testChip();

  const empty = hexOf(command(sim, 0x30, 0x02, 0));
  command(sim, 0x16, 0x03, 0, new Uint8Array(32));
  const fixed = hexOf(command(sim, 0x30, 0x02, 0));
  command(sim, 0x16, 0x00, 0, new Uint8Array(20));
  command(sim, 0x40, 0x08, 4);

  assert.deepEqual([empty, fixed, hexOf(command(sim, 0x30, 0x02, 0))], ["00000000", "10800000", "44800000"]);
});

test("Sign and Verify use up the digest they were given", () => {
  const sim = testChip();
  command(sim, 0x16, 0x43, 0, new Uint8Array(32).fill(7));
  command(sim, 0x41, 0xa0, 0);

  assert.equal(hexOf(command(sim, 0x41, 0xa0, 0)), "0F");
});

test("two signatures of one digest differ", () => {
  const sim = testChip();
  const sign = (): string => {
    command(sim, 0x16, 0x43, 0, new Uint8Array(32).fill(7));
    return hexOf(command(sim, 0x41, 0xa0, 0));
  };

  assert.notEqual(sign(), sign());
});

test("a counter's bytes written before the configuration lock are the number it reads", () => {
  const sim = testChip({ locks: "unlocked" });
  command(sim, 0x12, 0x00, 0x0f, encodeCounter(1_000_001).slice(0, 4));
  command(sim, 0x12, 0x00, 0x10, encodeCounter(1_000_001).slice(4, 8));

  assert.equal(hexOf(command(sim, 0x24, 0x00, 1)), hexOf(Uint8Array.of(0x41, 0x42, 0x0f, 0x00)));
});

test("counter encoding and decoding are inverse, and zero is FF FF FF FF 00 00 00 00", () => {
  assert.equal(hexOf(encodeCounter(0)), "FFFFFFFF00000000");
  for (const value of [...Array(200).keys(), 65_535, 2_097_135, 2_097_150, 2_097_151]) {
    assert.equal(decodeCounter(encodeCounter(value)), value);
  }
});

test("a counter at 2097151 goes no further", () => {
  const configuration = withConfig(52, ...encodeCounter(2_097_150));
  const sim = testChip({ parts: { configuration } });

  const answers = [command(sim, 0x24, 0x01, 0), command(sim, 0x24, 0x01, 0), command(sim, 0x24, 0x00, 0)].map(
    hexOf,
  );

  assert.deepEqual(answers, ["FFFF1F00", "0F", "FFFF1F00"]);
});

test("the SHA context of five bytes is the one the vendor's device test shows", () => {
  const sim = testChip();
  command(sim, 0x47, 0x00, 0);
  command(sim, 0x47, 0x01, 5, bytesOf("0102030405"));

  const context = hexOf(command(sim, 0x47, 0x06, 0));

  assert.equal(context, "0500000067E6096A85AE67BB72F36E3C3AF54FA57F520E518C68059BABD9831F19CDE05B0102030405");
});

test("a SHA goes on from a context that was put back, after 5 bytes and after 100", () => {
  for (const length of [5, 100]) {
    const sim = testChip();
    const message = new Uint8Array(length).fill(0x5a);
    command(sim, 0x47, 0x00, 0);
    for (let at = 0; at < length; at += 50)
      command(sim, 0x47, 0x01, Math.min(50, length - at), message.subarray(at, at + 50));
    const context = command(sim, 0x47, 0x06, 0);
    const straight = hexOf(command(sim, 0x47, 0xc2, 3, bytesOf("010203")));

    command(sim, 0x47, 0x07, context.length, context);

    assert.equal(hexOf(command(sim, 0x47, 0xc2, 3, bytesOf("010203"))), straight);
  }
});

test("an HMAC with the key in TempKey is RFC 4231's second test case", () => {
  // HMAC pads its key with zeros itself, so the four bytes of the key may be 32.
  const key = new Uint8Array(32);
  key.set(Buffer.from("Jefe"), 0);
  const message = Buffer.from("what do ya want for nothing?");
  const sim = testChip();
  command(sim, 0x16, 0x03, 0, key);

  command(sim, 0x47, 0x04, 0xffff);
  const mac = command(sim, 0x47, 0xc2, message.length, message);

  assert.equal(hexOf(mac), "5BDCC146BF60754E6A042426089575C75A003F089D2739839DEC58B964EC3843");
});

test("Sign internal signs the 55 bytes of the reference, full serial number and slot lock in them", () => {
  const nonce = new Uint8Array(32).fill(0x33);
  const sim = testChip({ locks: "both locked" });
  const publicKey = command(sim, 0x40, 0x00, 0);
  command(sim, 0x17, 0x02, 0);
  command(sim, 0x16, 0x03, 0, nonce);
  command(sim, 0x40, 0x08, 0);

  const signature = command(sim, 0x41, 0x40, 1);

  const tempKey = sha256(nonce, bytesOf("40 08 00 00 EE 01 23"), new Uint8Array(25), publicKey);
  // TempKey | 41 40 01 00 | SlotConfig[0] | KeyConfig[0] | flags: slot 0, fixed input, genKey | 00 00 | serial … | slot locked
  const message = sha256(
    tempKey,
    bytesOf("41 40 01 00 81 20 33 00 50 00 00 EE 4D 2E 3C 91 01 23 7A 1B 00 00 00"),
  );
  assert.ok(nodeSimCrypto().verifyDigest(publicKey, message, signature));
});

test("GenDig and MAC compute what a host that knows the secret computes", () => {
  const sim = testChip();
  const nonce = new Uint8Array(32).fill(0x33);
  command(sim, 0x16, 0x03, 0, nonce);
  command(sim, 0x15, 0x02, 5);

  const mac = command(sim, 0x08, 0x06, 5, new Uint8Array(32).fill(0x44));

  const tempKey = sha256(SECRET.subarray(0, 32), bytesOf("15 02 05 00 EE 01 23"), new Uint8Array(25), nonce);
  const padding = bytesOf("00 00 00 00 00 00 00 00 00 00 00 EE 00 00 00 00 01 23 00 00");
  assert.equal(
    hexOf(mac),
    hexOf(sha256(tempKey, new Uint8Array(32).fill(0x44), bytesOf("08 06 05 00"), padding)),
  );
});

test("a random Nonce puts SHA-256(RandOut | NumIn | 16 00 00) into TempKey", () => {
  const sim = testChip();
  const numIn = new Uint8Array(20).fill(0x11);
  const publicKey = command(sim, 0x40, 0x00, 0);
  const randOut = command(sim, 0x16, 0x00, 0, numIn);

  const signature = command(sim, 0x41, 0x80, 0);

  assert.ok(nodeSimCrypto().verifyDigest(publicKey, sha256(randOut, numIn, bytesOf("16 00 00")), signature));
});

// ---- the older part

test("the 508A has TempKey alone, no SelfTest, and its own revision", () => {
  const sim = testChip({ parts: { revision: "ATECC508A" } });
  const digest = new Uint8Array(32).fill(7);

  const answers = [
    command(sim, 0x30, 0x00, 0),
    command(sim, 0x16, 0x43, 0, digest),
    command(sim, 0x16, 0x23, 0, new Uint8Array(64)),
    command(sim, 0x77, 0x3b, 0),
    command(sim, 0x41, 0xa0, 0),
    command(sim, 0x16, 0x03, 0, digest),
  ].map(hexOf);

  assert.deepEqual(answers, ["00005000", "03", "03", "03", "03", "00"]);
  assert.equal(command(sim, 0x41, 0x80, 0).length, 64);
});

function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
}
