/**
 * Digest in, signature out: Nonce in pass-through mode, then Sign external.
 *
 * The 608 has a Message Digest Buffer of its own for this; the 508A signs from TempKey. The digest is loaded anew for
 * every signature, for nobody promises that Sign leaves it valid. (atecc608.md §2.1, §6.)
 */
import { ChipError } from "./chip-error.ts";
import type { CommandPort } from "./command-port.ts";
import { opcodes } from "./opcodes.ts";

/** Where a digest waits for Sign or Verify. */
export type DigestBuffer = "message-digest-buffer" | "temp-key";

export const DIGEST_BYTES = 32;
export const SIGNATURE_BYTES = 64;
export const SLOTS = 16;

const noncePassThrough = { "temp-key": 0x03, "message-digest-buffer": 0x43 } as const;
const signExternal = { "temp-key": 0x80, "message-digest-buffer": 0xa0 } as const;

/**
 * ECDSA over P-256 with the slot's private key.
 *
 * @param slot 0 to 15. @param digest SHA-256, 32 bytes.
 * @returns R‖S, each 32 bytes big-endian, as RFC 7518 §3.4 wants it. S is not normalised.
 * @throws {ChipError} (rejects). `chip_status_execution`: zones not locked, or the slot may not sign.
 */
export async function signDigest(port: CommandPort, slot: number, digest: Uint8Array): Promise<Uint8Array> {
  mustBeSlot(slot);
  mustBeDigest(digest);
  return await port.together(async (chip) => {
    const buffer = await digestBufferOf(chip);
    await loadDigest(chip, digest, buffer);
    return await chip.execute(opcodes.sign, signExternal[buffer], slot, new Uint8Array(0), SIGNATURE_BYTES);
  });
}

/** Nonce, pass-through: puts 32 bytes where Sign or Verify will find them. The Message Digest Buffer: 608 only. */
export async function loadDigest(port: CommandPort, digest: Uint8Array, buffer: DigestBuffer): Promise<void> {
  mustBeDigest(digest);
  await port.execute(opcodes.nonce, noncePassThrough[buffer], 0, digest, 0);
}

export async function digestBufferOf(port: CommandPort): Promise<DigestBuffer> {
  return (await port.traits()).part === "608" ? "message-digest-buffer" : "temp-key";
}

/** @throws {ChipError} `request_invalid`. */
export function mustBeSlot(slot: number): void {
  if (!Number.isInteger(slot) || slot < 0 || slot >= SLOTS) {
    throw new ChipError("request_invalid", `a slot is 0 to ${SLOTS - 1}`, { slot });
  }
}

/** @throws {ChipError} `request_invalid`. */
export function mustBeDigest(digest: Uint8Array): void {
  if (digest.length !== DIGEST_BYTES) {
    throw new ChipError("request_invalid", `a SHA-256 digest has ${DIGEST_BYTES} bytes`, {
      bytes: digest.length,
    });
  }
}
