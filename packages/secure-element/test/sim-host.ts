/** Chips for tests, and a host's hand on the bus that is written from the reference and not from the driver. */

import { crc16 } from "../src/crc16.ts";
import { nodeSimCrypto } from "../src/host/node/sim-crypto.ts";
import type { ChipSim, ChipSimOptions } from "../src/sim/chip-sim.ts";
import { createChipSim } from "../src/sim/chip-sim.ts";
import type { ImageParts } from "../src/sim/images.ts";
import { composeEeprom, encodeImage } from "../src/sim/images.ts";

export const bytesOf = (text: string): Uint8Array =>
  Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ""), "hex"));
export const hexOf = (bytes: Uint8Array | string): string =>
  typeof bytes === "string" ? bytes : Buffer.from(bytes).toString("hex").toUpperCase();

/** RFC 6979 A.2.5: private key, and k for SHA-256 of "sample". */
export const RFC6979_KEY = bytesOf("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721");
export const RFC6979_K = bytesOf("A6E3C57DD01ABE90086538398355DD4C3B17AA873382B0F24D6129493D8AAD60");
export const TRACE_SERIAL = bytesOf("01 23 7A 1B 4D 2E 3C 91 EE");

export type LockState = "unlocked" | "config locked" | "both locked";
export const lockStates: readonly LockState[] = ["unlocked", "config locked", "both locked"];

/**
 * A configuration that has a slot of every kind.
 *
 * 0 signs and may be made anew; 1 signs internally; 2 fixed after the lock, PubInfo 0; 3 wants CheckMac with slot 5;
 * 4 private, lockable, signs both ways; 5 a secret; 6 secret without MAC; 8 free data; 9 lockable free data;
 * 10 word-readable data; 11 public key; 12 never writable; 13 PubInvalid; 14 encrypted read; 15 encrypted write.
 */
export const everyKindOfSlot = (locks: LockState): Uint8Array => {
  const lockBytes = { unlocked: "55 55", "config locked": "55 00", "both locked": "00 00" }[locks];
  return bytesOf(
    `C0 00 00 00
     81 20 82 00 81 00 81 20 83 20 8F 80 9F 80 0F 00 0F 00 0F 00 0F 00 0F 00 0F 80 0F 10 CF 00 0F 40
     FF FF FF FF 00 00 00 00 FF FF FF FF 00 00 00 00
     00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
     00 00 ${lockBytes} FF FF 00 00 00 00 00 00
     33 00 33 00 11 00 B3 05 33 00 1C 00 1C 00 1C 00 3C 00 3C 00 1C 00 10 00 1C 00 10 00 1C 00 1C 00`,
  );
};

const scalar = (last: number): Uint8Array => Uint8Array.of(...new Uint8Array(31), last);

export const SECRET = Uint8Array.from({ length: 36 }, (_, index) => index + 1);

export function padPublicKey(key: Uint8Array): Uint8Array {
  return Uint8Array.of(0, 0, 0, 0, ...key.subarray(0, 32), 0, 0, 0, 0, ...key.subarray(32));
}

export interface TestChipOptions extends Omit<ChipSimOptions, "crypto" | "image"> {
  readonly locks?: LockState;
  readonly parts?: Partial<ImageParts>;
}

/** The RFC 6979 key in slots 0 to 4, its public half in slot 11, the trace's serial number. */
export function testChip(options: TestChipOptions = {}): ChipSim {
  const { locks = "both locked", parts = {}, ...rest } = options;
  const crypto = nodeSimCrypto();
  const publicKey = crypto.publicKeyOf(RFC6979_KEY) ?? new Uint8Array(64);
  const eeprom = composeEeprom({
    revision: "ATECC608B",
    serial: TRACE_SERIAL,
    configuration: everyKindOfSlot(locks),
    privateKeys: { 0: RFC6979_KEY, 1: RFC6979_KEY, 2: RFC6979_KEY, 3: RFC6979_KEY, 4: scalar(7) },
    slots: {
      5: SECRET,
      6: SECRET,
      8: new Uint8Array(416),
      9: new Uint8Array(72),
      10: new Uint8Array(72),
      11: padPublicKey(publicKey),
    },
    ...parts,
  });
  return createChipSim({ seed: 1, ...rest, crypto, image: encodeImage(eeprom) });
}

export const ADDRESS = 0x60;

/** Wakes and waits tWHI. */
export function wake(sim: ChipSim): void {
  sim.write(0x00, Uint8Array.of(0x00), 100_000);
  sim.advanceMicros(1_500);
}

/** A command group, count to CRC, with word address 03 before it. */
export function group(
  opcode: number,
  param1: number,
  param2: number,
  data: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const body = Uint8Array.of(7 + data.length, opcode, param1, param2 & 0xff, param2 >> 8, ...data);
  const crc = crc16(body);
  return Uint8Array.of(0x03, ...body, crc & 0xff, crc >> 8);
}

/** Polls until the chip has an answer, at most 3 s of its time. @returns The answer's data, CRC checked. */
export function pollAnswer(sim: ChipSim, address = ADDRESS): Uint8Array {
  for (let millis = 0; millis < 3_000; millis += 1) {
    if (sim.write(address, Uint8Array.of(0x00)) === "ack") {
      const count = sim.read(address, 1);
      if (typeof count === "string") throw new Error(`count: ${count}`);
      const rest = sim.read(address, (count[0] ?? 1) - 1);
      if (typeof rest === "string") throw new Error(`answer: ${rest}`);
      const frame = Uint8Array.of(...count, ...rest);
      const crc = crc16(frame.subarray(0, -2));
      if (frame.at(-2) !== (crc & 0xff) || frame.at(-1) !== crc >> 8)
        throw new Error("answer with a bad CRC");
      return frame.slice(1, -2);
    }
    sim.advanceMicros(1_000);
  }
  throw new Error("no answer");
}

/** Sends a command to an awake chip. @returns The answer's data. */
export function send(
  sim: ChipSim,
  opcode: number,
  param1: number,
  param2: number,
  data?: Uint8Array,
): Uint8Array {
  if (sim.write(ADDRESS, group(opcode, param1, param2, data)) !== "ack")
    throw new Error("command not acknowledged");
  return pollAnswer(sim);
}

/** Idle and wake between commands, as hosts do, so that a test's length never meets the watchdog. */
export function command(
  sim: ChipSim,
  opcode: number,
  param1: number,
  param2: number,
  data?: Uint8Array,
): Uint8Array {
  if (sim.powerState() === "active") sim.write(ADDRESS, Uint8Array.of(0x02));
  wake(sim);
  return send(sim, opcode, param1, param2, data);
}
