/** Random and the random Nonce (atecc608.md §2.1). */
import { ChipError } from "./chip-error.ts";
import type { CommandPort } from "./command-port.ts";
import { opcodes } from "./opcodes.ts";

/**
 * 32 bytes of the chip's generator, its seed updated.
 *
 * @throws {ChipError} (rejects) `random_not_random`: the configuration is not locked yet, and such a chip gives a
 *   constant. Better no number than one that everybody knows.
 */
export async function readRandom(port: CommandPort): Promise<Uint8Array> {
  return mustBeRandom(await port.execute(opcodes.random, 0x00, 0, new Uint8Array(0), 32));
}

/**
 * Nonce, random: TempKey becomes SHA-256(random ‖ `numIn` ‖ 16 ‖ mode ‖ 00).
 *
 * @param numIn 20 bytes of the host. @returns The chip's 32 random bytes. @throws {ChipError} as {@link readRandom}.
 */
export async function makeRandomNonce(port: CommandPort, numIn: Uint8Array): Promise<Uint8Array> {
  if (numIn.length !== 20)
    throw new ChipError("request_invalid", "NumIn has 20 bytes", { bytes: numIn.length });
  return mustBeRandom(await port.execute(opcodes.nonce, 0x00, 0, numIn, 32));
}

/** `FF FF 00 00` eight times is what an unlocked chip says; a locked one does so once in 2^256. */
function mustBeRandom(bytes: Uint8Array): Uint8Array {
  if (bytes.every((byte, index) => byte === (index % 4 < 2 ? 0xff : 0x00))) {
    throw new ChipError(
      "random_not_random",
      "the chip's configuration is not locked: its random numbers are constant",
    );
  }
  return bytes;
}
