import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, RecordingBus, type Script, type ScriptedAnswer, toHex } from "../../test/recording-bus.ts";
import * as trace from "../../test/traces.ts";
import { crc16 } from "../crc16.ts";
import { Atecc608 } from "./atecc608.ts";
import { ChipError, type ChipErrorCode } from "./chip-error.ts";
import { commandPort, SEQUENCE_ATTEMPTS_MAX } from "./command-port.ts";
import { SENDS_MAX } from "./command-sequence.ts";
import { DEADLINE_MARGIN_MILLIS } from "./execution-times.ts";
import { opcodes } from "./opcodes.ts";

const nothing = new Uint8Array(0);
const digest = fromHex(trace.digest);
const sign = "03 07 41 A0 00 00 7B 85";
const revision = "07 00 00 60 03 83 BB";
const statusCrc = "04 FF 01 42";
const statusReset = trace.woken;
const statusWatchdog = "04 EE 31 41";
const statusEccFault = "04 05 C3 43";
const statusHealth = "04 08 60 C0";
const statusExecution = "04 0F 23 42";
const never: ScriptedAnswer = { bytes: revision, busyPolls: 100_000 };

test("a packet the chip calls damaged is sent again", async () => {
  const { bus, chip } = chipAnswering([statusCrc, revision]);

  await chip.info("revision");

  assert.equal(bus.written().length, 2);
});

test("a packet that always arrives damaged ends after a bounded number of sends", async () => {
  const { bus, chip } = chipAnswering(Array.from({ length: SENDS_MAX }, () => statusCrc));

  await rejects(chip.info("revision"), "command_crc");

  assert.equal(bus.unusedAnswers(), 0);
});

test("a damaged answer is read again before anything is sent again", async () => {
  const { bus, chip } = chipAnswering(["07 00 00 60 03 83 BA", revision]);

  const info = await chip.info("revision");

  assert.equal(toHex(info), "00 00 60 03");
  assert.deepEqual(bus.lines.slice(2, 11), [
    "W 03 07 30 00 00 00 03 5D",
    "R 7",
    "W 00",
    "R 1",
    "R 6",
    "W 00",
    "R 1",
    "R 6",
    "W 03 07 30 00 00 00 03 5D",
  ]);
});

test("a signature that arrives damaged costs the whole sequence: Sign may have used up the digest", async () => {
  const damaged = trace.signatureAnswer.replace("77 5A", "77 5B");
  const { bus, chip } = chipAnswering([
    trace.config0,
    trace.success,
    damaged,
    trace.success,
    trace.signatureAnswer,
  ]);

  const signature = await chip.signDigest(0, digest);

  assert.equal(toHex(signature), trace.spaced(trace.signature));
  assert.deepEqual(bus.written(), [trace.readConfig0, trace.nonce43, sign, trace.nonce43, sign]);
});

test("a chip that says 'just woken' where a signature was expected gets the whole sequence again", async () => {
  const { bus, chip } = chipAnswering([
    trace.config0,
    trace.success,
    statusReset,
    trace.success,
    trace.signatureAnswer,
  ]);

  await chip.signDigest(0, digest);

  assert.deepEqual(bus.written(), [trace.readConfig0, trace.nonce43, sign, trace.nonce43, sign]);
});

test("a chip that resets at every Sign is reported, after a bounded number of sequences", async () => {
  const attempt = [trace.success, statusReset];
  const { bus, chip } = chipAnswering([
    trace.config0,
    ...Array.from({ length: SEQUENCE_ATTEMPTS_MAX }, () => attempt).flat(),
  ]);

  await rejects(chip.signDigest(0, digest), "chip_reset");

  assert.equal(bus.unusedAnswers(), 0);
});

test("when the watchdog leaves no time: idle, wake, and the digest again", async () => {
  const { bus, chip } = chipAnswering([
    trace.config0,
    trace.success,
    statusWatchdog,
    trace.success,
    trace.signatureAnswer,
  ]);

  await chip.signDigest(0, digest);

  assert.deepEqual(bus.written(), [trace.readConfig0, trace.nonce43, sign, "02", trace.nonce43, sign]);
});

test("a failed computation is tried once more, and not twice", async () => {
  for (const status of [statusEccFault, statusHealth]) {
    const { bus, chip } = chipAnswering([
      trace.config0,
      trace.success,
      status,
      trace.success,
      trace.signatureAnswer,
    ]);

    await chip.signDigest(0, digest);

    assert.equal(bus.unusedAnswers(), 0);
  }
  const { chip } = chipAnswering([
    trace.config0,
    trace.success,
    statusEccFault,
    trace.success,
    statusEccFault,
  ]);

  await rejects(chip.signDigest(0, digest), "chip_status_ecc_fault");
});

test("a refusal is reported at once, with its status", async () => {
  const { bus, chip } = chipAnswering([trace.config0, trace.success, statusExecution]);

  await assert.rejects(
    chip.signDigest(0, digest),
    (error) =>
      error instanceof ChipError && error.code === "chip_status_execution" && error.facts["status"] === 0x0f,
  );
  assert.deepEqual(bus.written(), [trace.readConfig0, trace.nonce43, sign]);
});

test("a chip that takes a command and never answers is given up past the vendor's maximum", async () => {
  const { bus, chip } = chipAnswering([never, never, never]);

  await rejects(chip.info("revision"), "chip_busy_timeout");

  // One wait of 5 + 50 ms, and pulses that nobody answers.
  assert.ok(bus.monotonicMillis() < 500);
});

test("Sign is waited for as long as the vendor allows at the chip's clock divider, and a margin", async () => {
  for (const [chipMode, part, executionMillisMax] of [
    [0x00, "608", 115],
    [0x28, "608", 220],
    [0x68, "608", 665],
    [0x00, "508A", 60],
  ] as const) {
    // Sign is taken, never answered, and then nobody wakes: the wait is the time until the first pulse.
    const bus = new RecordingBus([configWith(chipMode), trace.success, never]);
    const chip = new Atecc608(bus, { time: bus, part });
    await chip.traits();
    const start = bus.monotonicMillis();
    bus.forgetWakeAnswer();

    await rejects(chip.signDigest(0, digest), "chip_busy_timeout");

    const pulsedAfter = (bus.pulsedAtMillis.at(1) ?? 0) - start;
    assert.ok(pulsedAfter >= executionMillisMax + DEADLINE_MARGIN_MILLIS, `${pulsedAfter} ms is too early`);
    assert.ok(
      pulsedAfter <= executionMillisMax + DEADLINE_MARGIN_MILLIS + 10,
      `${pulsedAfter} ms is too late`,
    );
  }
});

test("a clock that stands still does not keep the driver polling", async () => {
  const bus = new RecordingBus([never]);
  const chip = new Atecc608(bus, { time: { monotonicMillis: () => 0, delayMicros: async () => {} } });

  await rejects(chip.info("revision"), "chip_busy_timeout");
});

test("a group that is not acknowledged is offered once more, then the chip is woken and the sequence begun again", async () => {
  const { bus, chip } = chipAnswering([
    trace.config0,
    trace.success,
    "nack-write",
    "nack-write",
    trace.success,
    trace.signatureAnswer,
  ]);

  await chip.signDigest(0, digest);

  assert.deepEqual(
    bus.lines.filter((line) => line.startsWith("W") || line === "wake"),
    [
      "wake",
      `W ${trace.readConfig0}`,
      `W ${trace.nonce43}`,
      `W! ${sign}`,
      `W! ${sign}`,
      "wake",
      `W ${trace.nonce43}`,
      `W ${sign}`,
    ],
  );
});

test("a Lock whose answer is lost is never sent a second time", async () => {
  for (const answer of [statusReset, "04 00 03 41", never]) {
    const { bus, chip } = chipAnswering([answer, trace.success]);

    await assert.rejects(chip[commandPort].execute(opcodes.lock, 0x80, 0, nothing, 0), ChipError);

    assert.equal(bus.unusedAnswers(), 1);
  }
});

test("a Lock that the chip says it did not carry out is sent again", async () => {
  for (const answer of [statusCrc, statusWatchdog, "nack-write" as const]) {
    const { bus, chip } = chipAnswering([answer, trace.success]);

    await chip[commandPort].execute(opcodes.lock, 0x80, 0, nothing, 0);

    assert.equal(bus.unusedAnswers(), 0);
  }
});

test("a sequence with a Lock in it does not begin again", async () => {
  const { bus, chip } = chipAnswering([trace.success, statusReset, trace.success, revision]);

  const lockAndLook = chip[commandPort].together(async (port) => {
    await port.execute(opcodes.lock, 0x80, 0, nothing, 0);
    return await port.execute(opcodes.info, 0, 0, nothing, 4);
  });

  await rejects(lockAndLook, "chip_reset");
  assert.equal(bus.unusedAnswers(), 2);
});

test("a sequence that swallows the news of a reset is begun again all the same", async () => {
  const { chip } = chipAnswering([statusReset, revision]);

  const info = await chip[commandPort].together(async (port) => {
    try {
      return await port.execute(opcodes.info, 0, 0, nothing, 4);
    } catch {
      return nothing;
    }
  });

  assert.equal(toHex(info), "00 00 60 03");
});

test("a port kept beyond its sequence is dead", async () => {
  const { chip } = chipAnswering([revision]);
  const port = await chip[commandPort].together(async (inner) => inner);

  await rejects(port.execute(opcodes.info, 0, 0, nothing, 4), "sequence_over");
});

test("two public keys in a row are kept apart by idle and wake: an old answer has the same length", async () => {
  const { bus, chip } = chipAnswering([trace.config0, trace.publicKeyAnswer, trace.publicKeyAnswer]);

  await chip.publicKey(0);
  await chip.publicKey(2);

  assert.deepEqual(bus.written(), [
    trace.readConfig0,
    "03 07 40 00 00 00 00 05",
    "02",
    "03 07 40 00 02 00 06 85",
  ]);
});

test("a long sequence idles and wakes before the watchdog can fire", async () => {
  const { bus, chip } = chipAnswering([trace.config0, trace.success, trace.signatureAnswer]);

  await chip[commandPort].together(async (port) => {
    await port.traits();
    await port.execute(opcodes.nonce, 0x43, 0, digest, 0);
    await bus.delayMicros(600_000);
    await port.execute(opcodes.sign, 0xa0, 0, nothing, 64);
  });

  assert.deepEqual(bus.written(), [trace.readConfig0, trace.nonce43, "02", sign]);
});

/** The traces' first block of the Configuration zone, with another ChipMode (byte 19). */
function configWith(chipMode: number): string {
  const answer = fromHex(trace.config0);
  answer[1 + 19] = chipMode;
  const crc = crc16(answer, 0, answer.length - 2);
  answer.set([crc & 0xff, crc >> 8], answer.length - 2);
  return toHex(answer);
}

function chipAnswering(script: Script): { bus: RecordingBus; chip: Atecc608 } {
  const bus = new RecordingBus(script);
  return { bus, chip: new Atecc608(bus, { time: bus }) };
}

async function rejects(promise: Promise<unknown>, code: ChipErrorCode): Promise<void> {
  await assert.rejects(promise, (error) => error instanceof ChipError && error.code === code);
}
