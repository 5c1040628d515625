/**
 * What a slot is for, and the two words that make it so.
 *
 * A private key can never be read nor brought in in clear; whether it can be *replaced* is a choice made here,
 * once, before the Configuration zone is locked (atecc608.md §3.3):
 *
 * - immutable: made while the data zone is open, then never again by anybody.
 * - rotatable: GenKey at any time, until the slot is locked; each new key destroys the old one at once.
 * - authorised: as rotatable, but use and GenKey need a CheckMac with the secret of another slot first.
 */
import { type ConfiguredSlot, slotCount } from "./config-zone.ts";
import { decodeKeyConfig, decodeSlotConfig } from "./slot-config.ts";

export type SlotRole =
  | { readonly kind: "signing"; readonly lifecycle: "immutable" | "rotatable" }
  | { readonly kind: "signing"; readonly lifecycle: "authorised"; readonly authKeySlot: number }
  /** Signs what the chip itself found out about its other slots, and nothing a host gives it. */
  | { readonly kind: "attestation" }
  /** Anybody reads and writes it, until it is locked. */
  | { readonly kind: "data" }
  /** As data, and Verify may use it as a public key. */
  | { readonly kind: "public-key" }
  /** Never read, never written after the data zone is locked. Also the home of an authorising secret. */
  | { readonly kind: "closed" };

/** @throws {RangeError} `authKeySlot` is no slot: a bug of the caller. */
export function composeSlot(role: SlotRole): ConfiguredSlot {
  const [slotWord, keyWord] = wordsOf(role);
  return { slot: decodeSlotConfig(slotWord), key: decodeKeyConfig(keyWord) };
}

/** SlotConfig and KeyConfig; on the wire their bytes are the other way round: 0x2081 is `81 20`. */
function wordsOf(role: SlotRole): readonly [slotWord: number, keyWord: number] {
  switch (role.kind) {
    case "signing":
      if (role.lifecycle === "authorised") return [0x2081, 0x00b3 | (slotNumber(role.authKeySlot) << 8)];
      return role.lifecycle === "immutable" ? [0x0081, 0x0013] : [0x2081, 0x0033];
    case "attestation":
      return [0x0082, 0x0013];
    case "data":
      return [0x0f0f, 0x003c];
    case "public-key":
      return [0x0f0f, 0x0030];
    case "closed":
      return [0x8f8f, 0x001c];
  }
}

function slotNumber(slot: number): number {
  if (Number.isInteger(slot) && slot >= 0 && slot < slotCount) return slot;
  throw new RangeError(`there is no slot ${slot}`);
}
