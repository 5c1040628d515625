import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, RecordingBus, type Script, toHex } from "../../test/recording-bus.ts";
import * as trace from "../../test/traces.ts";
import { Atecc608, type ChipOptions } from "./atecc608.ts";
import { ChipError, type ChipErrorCode } from "./chip-error.ts";
import { commandPort } from "./command-port.ts";
import { opcodes } from "./opcodes.ts";

const nothing = new Uint8Array(0);
const digest = fromHex(trace.digest);

test("Info Revision leaves as the datasheet shows it, and both revisions come back", async () => {
  for (const [answer, revision] of [
    ["07 00 00 60 03 83 BB", "00 00 60 03"],
    ["07 00 00 60 02 80 38", "00 00 60 02"],
  ] as const) {
    const { bus, chip } = chipAnswering([answer]);

    const info = await chip.info("revision");

    assert.deepEqual(bus.lines, ["wake", "R 4", "W 03 07 30 00 00 00 03 5D", "R 7"]);
    assert.equal(toHex(info), revision);
  }
});

test("the serial number is read in one block, and is made of two parts of it", async () => {
  const { bus, chip } = chipAnswering([trace.config0]);

  const serialNumber = await chip.serialNumber();

  assert.deepEqual(bus.written(), [trace.readConfig0]);
  assert.equal(toHex(serialNumber), "01 23 7A 1B 4D 2E 3C 91 EE");
});

test("words of the Configuration zone leave as the traces show them", async () => {
  for (const [offset, command, answer, word] of [
    [0, "03 07 02 00 00 00 1E 2D", "07 01 23 7A 1B B9 64", "01 23 7A 1B"],
    [8, "03 07 02 00 02 00 18 AD", "07 4D 2E 3C 91 90 48", "4D 2E 3C 91"],
    [12, "03 07 02 00 03 00 11 2D", "07 EE 01 01 00 1D 0B", "EE 01 01 00"],
  ] as const) {
    const { bus, chip } = chipAnswering([answer]);

    const bytes = await chip.configWord(offset);

    assert.deepEqual(bus.written(), [command]);
    assert.equal(toHex(bytes), word);
  }
});

test("the words that hold the locks are asked for at 84 and 88", async () => {
  for (const [offset, command] of [
    [84, "03 07 02 00 15 00 17 5D"],
    [88, "03 07 02 00 16 00 18 5D"],
  ] as const) {
    const { bus, chip } = chipAnswering(["07 01 23 7A 1B B9 64"]);

    await chip.configWord(offset);

    assert.deepEqual(bus.written(), [command]);
  }
});

test("a digest and a slot become Nonce 43, Sign A0 and 64 bytes, after one look at the part", async () => {
  const { bus, chip } = chipAnswering([trace.config0, trace.success, trace.signatureAnswer]);

  const signature = await chip.signDigest(0, digest);

  assert.deepEqual(bus.written(), [trace.readConfig0, trace.nonce43, "03 07 41 A0 00 00 7B 85"]);
  assert.equal(toHex(signature), trace.spaced(trace.signature));
});

test("Sign for slot 2 names slot 2", async () => {
  const { bus, chip } = chipAnswering([trace.config0, trace.success, trace.signatureAnswer]);

  await chip.signDigest(2, digest);

  assert.equal(bus.written().at(-1), "03 07 41 A0 02 00 7D 05");
});

test("a 508A signs from TempKey: Nonce 03, Sign 80", async () => {
  const { bus, chip } = chipAnswering([trace.config0, trace.success, trace.signatureAnswer], {
    part: "508A",
  });

  await chip.signDigest(0, digest);

  assert.deepEqual(bus.written(), [trace.readConfig0, trace.nonce03, "03 07 41 80 00 00 28 05"]);
});

test("Nonce puts a digest into either buffer as the traces show", async () => {
  const { bus, chip } = chipAnswering([trace.success, trace.success]);

  await chip.loadDigest(digest, "message-digest-buffer");
  await chip.loadDigest(digest, "temp-key");

  // Idle and wake between them: the first "success" must not pass for the second.
  assert.deepEqual(bus.written(), [trace.nonce43, "02", trace.nonce03]);
});

test("public keys of slots 0, 2 and 3 are asked for as the traces show", async () => {
  for (const [slot, command] of [
    [0, "03 07 40 00 00 00 00 05"],
    [2, "03 07 40 00 02 00 06 85"],
    [3, "03 07 40 00 03 00 0F 05"],
  ] as const) {
    const { bus, chip } = chipAnswering([trace.config0, trace.publicKeyAnswer]);

    const publicKey = await chip.publicKey(slot);

    assert.deepEqual(bus.written(), [trace.readConfig0, command]);
    assert.equal(toHex(publicKey), trace.spaced(trace.publicKey));
  }
});

test("GenKey create leaves as the traces show", async () => {
  for (const [slot, command] of [
    [0, "03 07 40 04 00 00 83 87"],
    [2, "03 07 40 04 02 00 85 07"],
    [3, "03 07 40 04 03 00 8C 87"],
  ] as const) {
    const { bus, chip } = chipAnswering([trace.config0, trace.publicKeyAnswer]);

    await chip[commandPort].execute(opcodes.genKey, 0x04, slot, nothing, 64);

    assert.equal(bus.written().at(-1), command);
  }
});

test("Lock leaves as the traces show: configuration, data, slots", async () => {
  for (const [param1, command] of [
    [0x80, "03 07 17 80 00 00 39 8D"],
    [0x81, "03 07 17 81 00 00 3A 07"],
    [0x02, "03 07 17 02 00 00 2D 88"],
    [0x0a, "03 07 17 0A 00 00 6E 09"],
    [0x0e, "03 07 17 0E 00 00 ED 8B"],
    [0x2a, "03 07 17 2A 00 00 3D 89"],
  ] as const) {
    const { bus, chip } = chipAnswering([trace.success]);

    await chip[commandPort].execute(opcodes.lock, param1, 0, nothing, 0);

    assert.deepEqual(bus.written(), [command]);
  }
});

test("Info KeyValid believes any byte of the four", async () => {
  for (const [answer, isValid] of [
    ["07 00 00 00 00 03 AD", false],
    ["07 00 00 60 03 83 BB", true],
  ] as const) {
    const { chip } = chipAnswering([answer]);

    assert.equal(await chip.isKeyValid(1), isValid);
  }
});

test("Info KeyValid for slot 0 leaves as the trace shows", async () => {
  const { bus, chip } = chipAnswering(["07 00 00 60 03 83 BB"]);

  await chip.isKeyValid(0);

  assert.deepEqual(bus.written(), ["03 07 30 01 00 00 00 D7"]);
});

test("the constant an unlocked chip gives for Random is no random number", async () => {
  const { bus, chip } = chipAnswering([`23 ${"FF FF 00 00 ".repeat(8)}41 1A`]);

  await rejects(chip.random(), "random_not_random");

  assert.deepEqual(bus.written(), ["03 07 1B 00 00 00 24 CD"]);
});

test("slot 10 is read as two blocks and two words", async () => {
  const block = trace.config0;
  const word = "07 01 23 7A 1B B9 64";
  const { bus, chip } = chipAnswering([block, block, word, word]);

  const bytes = await chip.readSlot(10, 0, 72);

  assert.equal(bytes.length, 72);
  assert.deepEqual(
    bus.written().filter((line) => line !== "02"),
    [
      "03 07 02 82 50 00 0A 14",
      "03 07 02 82 50 01 09 97",
      "03 07 02 02 50 02 9E 15",
      "03 07 02 02 51 02 97 95",
    ],
  );
});

test("Verify sends signature and key after the digest, and a miscompare is an answer", async () => {
  for (const [answer, isValid] of [
    [trace.success, true],
    ["04 01 00 C3", false],
  ] as const) {
    const { bus, chip } = chipAnswering([trace.config0, trace.success, answer]);

    const verdict = await chip.verifyDigest(fromHex(trace.publicKey), digest, fromHex(trace.signature));

    assert.equal(verdict, isValid);
    assert.deepEqual(bus.written().slice(0, 3), [trace.readConfig0, trace.nonce43, "02"]);
    const verify = `03 87 45 22 04 00 ${trace.spaced(trace.signature)} ${trace.spaced(trace.publicKey)}`;
    assert.equal(bus.written().at(-1)?.slice(0, verify.length), verify);
  }
});

test("sleep is word address 01, and the next command wakes the chip again", async () => {
  const { bus, chip } = chipAnswering(["07 00 00 60 03 83 BB", "07 00 00 60 03 83 BB"]);
  await chip.info("revision");

  await chip.sleep();
  await chip.info("revision");

  assert.equal(bus.lines.filter((line) => line === "wake").length, 2);
  assert.ok(bus.written().includes("01"));
});

test("with rewinding, each poll is word address 00, then the count, then the rest", async () => {
  const { bus, chip } = chipAnswering([{ bytes: "07 00 00 60 03 83 BB", busyPolls: 2 }], {
    readingStyle: "rewind",
  });

  await chip.info("revision");

  assert.deepEqual(bus.lines.slice(2), ["W 03 07 30 00 00 00 03 5D", "W! 00", "W! 00", "W 00", "R 1", "R 6"]);
});

test("a token costs a wake, Nonce, Sign and polls, once the part is known", async () => {
  const { bus, chip } = chipAnswering([
    trace.config0,
    { bytes: trace.success, busyPolls: 1 },
    { bytes: trace.signatureAnswer, busyPolls: 8 },
  ]);
  await chip.traits();
  await chip.sleep();
  const linesBefore = bus.lines.length;
  const bytesBefore = bus.bytesOnBus;

  await chip.signDigest(0, digest);

  assert.deepEqual(bus.lines.slice(linesBefore), [
    "wake",
    "R 4",
    `W ${trace.nonce43}`,
    "R! 4",
    "R 4",
    "W 03 07 41 A0 00 00 7B 85",
    ...Array.from({ length: 8 }, () => "R! 67"),
    "R 67",
  ]);
  // Pulse 2, its answer 5, Nonce 41 and 5, Sign 9 and 68, nine addresses not acknowledged.
  assert.equal(bus.bytesOnBus - bytesBefore, 2 + 5 + 41 + 5 + 9 + 68 + 9);
});

test("the address is the caller's", async () => {
  const { bus, chip } = chipAnswering(["07 00 00 60 03 83 BB"], { address: 0x35 });

  await chip.info("revision");

  assert.deepEqual([...bus.addresses], [0x35]);
});

test("what no chip could do is refused before anything is sent", async () => {
  const { bus, chip } = chipAnswering([]);

  await rejects(chip.signDigest(16, digest), "request_invalid");
  await rejects(chip.signDigest(0, digest.subarray(1)), "request_invalid");
  await rejects(chip.configWord(126), "request_invalid");
  await rejects(chip.readSlot(8, 0, 420), "request_invalid");
  assert.throws(() => new Atecc608(bus, { time: bus, address: 0xc0 }), ChipError);

  assert.ok(bus.written().length === 0);
});

function chipAnswering(
  script: Script,
  options: Partial<ChipOptions> = {},
): { bus: RecordingBus; chip: Atecc608 } {
  const bus = new RecordingBus(script);
  return { bus, chip: new Atecc608(bus, { time: bus, ...options }) };
}

async function rejects(promise: Promise<unknown>, code: ChipErrorCode): Promise<void> {
  await assert.rejects(promise, (error) => error instanceof ChipError && error.code === code);
}
