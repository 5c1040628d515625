/**
 * What every bus adapter promises, said once: the driver can tell none from another.
 *
 * Each adapter runs it with a simulated chip behind it. The packets here are the reference's traces, spelled out.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BusError, type ChipTime, type I2cBus } from "../../src/bus.ts";
import { Atecc608, slotSigner } from "../../src/signer.ts";
import { fromHex, toHex } from "../recording-bus.ts";
import * as trace from "../traces.ts";

export interface BusUnderTest {
  readonly bus: I2cBus;
  readonly time: ChipTime;
  /** A host that oversleeps may find the chip done at its first poll. */
  readonly isRealTime?: boolean;
  close(): Promise<void>;
}

const CHIP = 0x60;
const NOBODY = 0x36;
const info = fromHex("03 07 30 00 00 00 03 5D");
const publicKeyOfSlot0 = fromHex("03 07 40 00 00 00 00 05");

/** @param open A bus with a sleeping, locked chip at 0x60 that holds the key of RFC 6979 A.2.5 in slot 0, and nobody else. */
export function busKeepsItsPromises(adapter: string, open: () => Promise<BusUnderTest>): void {
  const promise = (sentence: string, keep: (subject: BusUnderTest) => Promise<void>): void => {
    test(`${adapter}: ${sentence}`, async () => {
      const subject = await open();
      try {
        await keep(subject);
      } finally {
        await subject.close();
      }
    });
  };

  promise("an address nobody has is a NACK, written or read", async ({ bus }) => {
    assert.equal(await bus.write(NOBODY, info), "nack");
    assert.equal(await bus.read(NOBODY, 4), undefined);
  });

  promise("a sleeping chip is a NACK too", async ({ bus }) => {
    assert.equal(await bus.write(CHIP, info), "nack");
    assert.equal(await bus.read(CHIP, 4), undefined);
  });

  promise(
    "a wake pulse resolves although nobody acknowledges it, and the chip says so 1.5 ms later",
    async (subject) => {
      assert.equal(toHex(await woken(subject)), trace.woken);
    },
  );

  promise("reads go on where the last one ended, and word address 00 begins anew", async (subject) => {
    await woken(subject);
    const { bus } = subject;

    assert.equal(await bus.write(CHIP, Uint8Array.of(0x00)), "ack");
    const count = await bus.read(CHIP, 1);
    const rest = await bus.read(CHIP, 3);

    assert.equal(`${toHex(count ?? fromHex(""))} ${toHex(rest ?? fromHex(""))}`, trace.woken);
  });

  promise("a chip at work is a NACK, and acknowledges when it is done", async (subject) => {
    await woken(subject);
    const { bus, time } = subject;

    assert.equal(await bus.write(CHIP, publicKeyOfSlot0), "ack");
    let answer = await bus.read(CHIP, 67);
    const wasBusy = answer === undefined;
    for (let poll = 0; answer === undefined && poll < 200; poll++) {
      await time.delayMicros(1_000);
      answer = await bus.read(CHIP, 67);
    }

    assert.ok(wasBusy || subject.isRealTime === true);
    assert.equal(toHex(answer ?? fromHex("")), trace.publicKeyAnswer);
  });

  promise("the longest packet there is passes: Verify with signature and key", async (subject) => {
    const chip = new Atecc608(subject.bus, { time: subject.time });

    const isValid = await chip.verifyDigest(
      fromHex(trace.publicKey),
      fromHex(trace.digest),
      fromHex(trace.signature),
    );

    assert.ok(isValid);
  });

  promise("a digest is signed, and the chip itself verifies the signature", async (subject) => {
    const chip = new Atecc608(subject.bus, { time: subject.time, readingStyle: "rewind" });
    const signer = slotSigner(chip, { slot: 0, keyId: "slot-0" });

    const signature = await signer.signDigest(fromHex(trace.digest));

    assert.ok(await chip.verifyDigest(await chip.publicKey(0), fromHex(trace.digest), signature));
  });

  promise("time goes on by at least the wait", async ({ time }) => {
    const before = time.monotonicMillis();

    await time.delayMicros(1_500);

    assert.ok(time.monotonicMillis() - before >= 1.5);
  });
}

/** For adapters that can be closed. */
export function closedBusSaysSo(adapter: string, open: () => Promise<BusUnderTest>): void {
  test(`${adapter}: a closed bus rejects with bus_closed`, async () => {
    const subject = await open();

    await subject.close();

    const isClosed = (error: unknown): boolean => error instanceof BusError && error.code === "bus_closed";
    await assert.rejects(subject.bus.write(CHIP, info), isClosed);
    await assert.rejects(subject.bus.read(CHIP, 4), isClosed);
    await assert.rejects(subject.bus.wake(), isClosed);
  });
}

async function woken({ bus, time }: BusUnderTest): Promise<Uint8Array> {
  await bus.wake();
  await time.delayMicros(1_500);
  const answer = await bus.read(CHIP, 4);
  assert.ok(answer !== undefined, "nobody woke");
  return answer;
}
