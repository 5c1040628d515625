/**
 * A chip of this machine, or a simulated one behind a socket, ready for commands.
 *
 * The driver is loaded when a chip is used, so that commands without one start as fast as before.
 */
import type { KeyAttestation } from "@mayfly/secure-element/provisioning";
import type { Atecc608, SlotSigner } from "@mayfly/secure-element/signer";
import { type ChipFlags, type ChipPlace, chipPlaceOf } from "../chip-flags.ts";
import { publicKeyOfPoint } from "./keys.ts";
import { SharedBuses } from "./shared-buses.ts";

export interface OpenChip {
  readonly chip: Atecc608;
  /** 7-bit. */
  readonly address: number;
  /** The same bus, another address: for a chip that was told to move. */
  at(address: number): Atecc608;
  close(): Promise<void>;
}

/** Runs with the chip the flags name, then puts it to sleep and lets go of the bus. Rejects with ChipError, BusError. */
export async function withOpenChip<T>(flags: ChipFlags, run: (opened: OpenChip) => Promise<T>): Promise<T> {
  const opened = await openChip(chipPlaceOf(flags));
  try {
    const result = await run(opened);
    await opened.chip.sleep();
    return result;
  } finally {
    await opened.close();
  }
}

/** @param buses Of this program, where it has more than this chip on one. @throws {BusError} (rejects) There is no such bus. */
export async function openChip(
  place: ChipPlace & { readonly kind: "i2c" | "socket" },
  buses = new SharedBuses(),
): Promise<OpenChip> {
  const { Atecc608: Chip } = await import("@mayfly/secure-element/signer");
  const { bus, time, close } = await buses.open(place);
  const at = (address: number): Atecc608 => new Chip(bus, { address, time });
  return { chip: at(place.address), address: place.address, at, close };
}

/** A slot as the registry knows it. */
export interface SlotKey {
  readonly slot: number;
  /** The name a registry gives the key. */
  readonly keyId: string;
  /** SubjectPublicKeyInfo. */
  readonly pem: string;
}

/** Reads a slot's public key. Rejects with ChipError where there is none. */
export async function readSlotKey(chip: Atecc608, slot: number): Promise<SlotKey> {
  const { keyId, pem } = publicKeyOfPoint(await chip.publicKey(slot));
  return { slot, keyId, pem };
}

/** Signs tokens with a slot, under the name the registry has for its key. */
export async function openSlotSigner(chip: Atecc608, slot: number): Promise<SlotSigner> {
  const { slotSigner } = await import("@mayfly/secure-element/signer");
  return slotSigner(chip, { slot, keyId: (await readSlotKey(chip, slot)).keyId });
}

export interface MadeKey {
  readonly signer: SlotSigner;
  /** X‖Y. */
  readonly publicKey: Uint8Array;
  readonly attestation: KeyAttestation;
}

/** Signers of one chip, for a program that runs on. */
export interface LastingSigners {
  /** One for each slot, in the order given. */
  readonly keys: readonly { readonly slot: number; readonly signer: SlotSigner }[];
  /** Makes a key in a slot, where the chip's configuration lets it, and has the chip attest it. */
  make(order: {
    readonly slot: number;
    readonly attestationSlot: number;
    readonly challenge: Uint8Array;
  }): Promise<MadeKey>;
  close(): Promise<void>;
}

/**
 * As {@link openSlotSigner}, but a bus that went away is opened anew for the next signature: the one under way
 * rejects, and its caller tries again by rules of its own.
 */
export async function openLastingSigners(
  place: Parameters<typeof openChip>[0],
  slots: readonly number[],
  buses = new SharedBuses(),
): Promise<LastingSigners> {
  let opened: OpenChip | undefined = await openChip(place, buses);
  const close = async (): Promise<void> => {
    const last = opened;
    opened = undefined;
    await last?.close();
  };
  const withChip = async <T>(run: (chip: Atecc608) => Promise<T>): Promise<T> => {
    opened ??= await openChip(place, buses);
    try {
      return await run(opened.chip);
    } catch (error) {
      if (isBusGone(error)) await close();
      throw error;
    }
  };
  const signerOf = (slot: number, keyId: string): SlotSigner => ({
    keyId,
    signDigest: (digest) => withChip((chip) => chip.signDigest(slot, digest)),
  });
  const { chip } = opened;
  const keys: { slot: number; signer: SlotSigner }[] = [];
  try {
    for (const slot of slots) {
      keys.push({ slot, signer: signerOf(slot, (await readSlotKey(chip, slot)).keyId) });
    }
  } catch (error) {
    // A bus that is left open would keep the next one who tries from the chip.
    await close();
    throw error;
  }
  return {
    keys,
    async make(order) {
      const { attestKey } = await import("@mayfly/secure-element/provisioning");
      const attestation = await withChip((chip) => attestKey(chip, { ...order, key: "new" }));
      const { publicKey } = attestation;
      return { signer: signerOf(order.slot, publicKeyOfPoint(publicKey).keyId), publicKey, attestation };
    },
    close,
  };
}

function isBusGone(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "bus_closed" || code === "bus_failed";
}
