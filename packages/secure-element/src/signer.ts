/**
 * The small door: what a device needs of its chip every day, and what ships to a microcontroller.
 *
 * {@link slotSigner} fits the core's signer port by its shape. It signs any digest it is given, so it belongs into a
 * `main` and no further: agent and station sign tokens of a known `typ` with it and hand it to nobody.
 */
import type { Atecc608 } from "./atecc608/atecc608.ts";

export { Atecc608, CHIP_ADDRESS_DEFAULT, type ChipOptions } from "./atecc608/atecc608.ts";
export { ChipError, type ChipErrorCode } from "./atecc608/chip-error.ts";
export type { ChipPart, ChipTraits } from "./atecc608/command-port.ts";
export { QUEUE_WAITING_MAX } from "./atecc608/command-queue.ts";
export { COUNTER_MAX, type CounterId } from "./atecc608/counter.ts";
export type { ReadingStyle } from "./atecc608/exchange.ts";
export type { InfoMode } from "./atecc608/info.ts";
export type { DigestBuffer } from "./atecc608/sign.ts";

/** Signs for the key in one slot. */
export interface SlotSigner {
  readonly keyId: string;
  /** @param digest SHA-256, 32 bytes. @returns R‖S, 64 bytes. @throws {ChipError} (rejects). */
  signDigest(digest: Uint8Array): Promise<Uint8Array>;
}

/** @param key The slot, 0 to 15, and the name by which the registry knows its public key. */
export function slotSigner(
  chip: Pick<Atecc608, "signDigest">,
  key: { readonly slot: number; readonly keyId: string },
): SlotSigner {
  return { keyId: key.keyId, signDigest: (digest) => chip.signDigest(key.slot, digest) };
}
