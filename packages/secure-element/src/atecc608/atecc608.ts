/**
 * An ATECC608 (or 508A) on an I2C bus: its everyday commands, typed.
 *
 * Each call is atomic: callers wait for each other, at most {@link QUEUE_WAITING_MAX} of them. Nobody has to wake the
 * chip or put it to sleep; its watchdog does that 1.3 s after the last wake, and {@link Atecc608.sleep} does it at once.
 * What makes keys, writes and locks is in the door `provisioning`.
 */
import type { ChipTime, I2cBus } from "../bus.ts";
import { ChipError } from "./chip-error.ts";
import { type ChipPart, type ChipTraits, type CommandPort, commandPort } from "./command-port.ts";
import { CommandRunner } from "./command-runner.ts";
import { type CounterId, incrementCounter, readCounter } from "./counter.ts";
import type { ReadingStyle } from "./exchange.ts";
import { computePublicKey } from "./gen-key.ts";
import { type InfoMode, isKeyValid, readInfo } from "./info.ts";
import { makeRandomNonce, readRandom } from "./random.ts";
import { readConfigWord, readConfigZone, readSerialNumber, readSlot } from "./read.ts";
import { type DigestBuffer, loadDigest, signDigest } from "./sign.ts";
import { verifyDigest } from "./verify.ts";

/** As delivered; Trust&GO parts answer at 0x35, TrustFLEX parts at 0x36. */
export const CHIP_ADDRESS_DEFAULT = 0x60;

export interface ChipOptions {
  /** 7-bit, 0x08 to 0x77; {@link CHIP_ADDRESS_DEFAULT} if absent. */
  readonly address?: number;
  readonly time: ChipTime;
  /** Asked of the chip if absent. */
  readonly part?: ChipPart;
  /** "whole" if absent. */
  readonly readingStyle?: ReadingStyle;
}

/** All methods reject with {@link ChipError}, and with nothing else unless the bus adapter itself is broken. */
export class Atecc608 {
  /** For this package's own use. */
  readonly [commandPort]: CommandPort;
  readonly #runner: CommandRunner;

  /** Sends nothing. @throws {ChipError} `request_invalid`: no such address. */
  constructor(bus: I2cBus, options: ChipOptions) {
    const address = options.address ?? CHIP_ADDRESS_DEFAULT;
    if (!Number.isInteger(address) || address < 0x08 || address > 0x77) {
      throw new ChipError("request_invalid", "an I2C address is 0x08 to 0x77, without the read/write bit", {
        address,
      });
    }
    this.#runner = new CommandRunner(bus, {
      address,
      time: options.time,
      part: options.part,
      style: options.readingStyle ?? "whole",
    });
    this[commandPort] = this.#runner;
  }

  /** Part, clock divider, watchdog: asked of the chip once, then known. */
  async traits(): Promise<ChipTraits> {
    return await this.#runner.traits();
  }

  /** Info. @returns 4 bytes as sent. */
  async info(mode: InfoMode): Promise<Uint8Array> {
    return await readInfo(this.#runner, mode);
  }

  /** Info KeyValid: does this private slot hold a key? */
  async isKeyValid(slot: number): Promise<boolean> {
    return await isKeyValid(this.#runner, slot);
  }

  /** Random. @returns 32 bytes. Rejects with `random_not_random` while the configuration is not locked. */
  async random(): Promise<Uint8Array> {
    return await readRandom(this.#runner);
  }

  /** Nonce with the chip's randomness mixed in. @param numIn 20 bytes. @returns The chip's 32 bytes. */
  async randomNonce(numIn: Uint8Array): Promise<Uint8Array> {
    return await makeRandomNonce(this.#runner, numIn);
  }

  /** Nonce, pass-through. Other callers may overwrite it: signing loads its own. @param digest 32 bytes. */
  async loadDigest(digest: Uint8Array, buffer: DigestBuffer): Promise<void> {
    await loadDigest(this.#runner, digest, buffer);
  }

  /** Nonce and Sign external, in one piece. @param digest SHA-256, 32 bytes. @returns R‖S, 64 bytes. */
  async signDigest(slot: number, digest: Uint8Array): Promise<Uint8Array> {
    return await signDigest(this.#runner, slot, digest);
  }

  /** Nonce and Verify external, in one piece. @param publicKey X‖Y. @param signature R‖S. */
  async verifyDigest(publicKey: Uint8Array, digest: Uint8Array, signature: Uint8Array): Promise<boolean> {
    return await verifyDigest(this.#runner, publicKey, digest, signature);
  }

  /** GenKey, public. @returns X‖Y, 64 bytes. */
  async publicKey(slot: number): Promise<Uint8Array> {
    return await computePublicKey(this.#runner, slot);
  }

  /** @returns The chip serial number, 9 bytes. */
  async serialNumber(): Promise<Uint8Array> {
    return await readSerialNumber(this.#runner);
  }

  /** @returns 128 bytes. */
  async configZone(): Promise<Uint8Array> {
    return await readConfigZone(this.#runner);
  }

  /** @param offset A multiple of 4, 0 to 124. @returns 4 bytes. */
  async configWord(offset: number): Promise<Uint8Array> {
    return await readConfigWord(this.#runner, offset);
  }

  /** @param offset A multiple of 32. @param length A multiple of 4, within the slot. */
  async readSlot(slot: number, offset: number, length: number): Promise<Uint8Array> {
    return await readSlot(this.#runner, slot, offset, length);
  }

  async readCounter(id: CounterId): Promise<number> {
    return await readCounter(this.#runner, id);
  }

  /** Adds one, for ever. Never repeated in doubt: if it rejects, read the counter. */
  async incrementCounter(id: CounterId): Promise<number> {
    return await incrementCounter(this.#runner, id);
  }

  /** Sleep, after those who wait. Saves about 0.8 mA for the second the watchdog would take. */
  async sleep(): Promise<void> {
    await this.#runner.sleep();
  }
}
