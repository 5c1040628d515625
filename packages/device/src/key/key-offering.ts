/**
 * Key offering: a new key in a spare slot, made by whoever keeps this device's keys, and offered by the current one.
 *
 * Left to others: whether the device may (the caller), and whether the bridge takes the key (the registry's policy).
 */
import { keyOfferSubfolder } from "@mayfly/core/instruction";
import { type OfferAttestation, stateKeyOffer } from "@mayfly/core/token";
import type { AgentSigner } from "../ports.ts";
import { digestSigner } from "../token/digest-signer.ts";
import type { KeyHost } from "./key-choice.ts";

export interface NewKey {
  readonly signer: AgentSigner;
  /** X‖Y, 64 bytes. */
  readonly publicKey: Uint8Array;
  /** Where the chip itself vouches for it. */
  readonly attestation?: OfferAttestation;
}

/** Makes keys in slots that are set aside for that. */
export interface KeyMaker {
  readonly slots: readonly number[];
  /**
   * Makes a new key pair; the one that was in the slot is gone for good.
   *
   * @param challenge 20 bytes for the chip's attestation. Rejects when there is no new key.
   */
  make(slot: number, challenge: Uint8Array): Promise<NewKey>;
}

/** @returns The new key's signer, where there is a new key, and whether its offer is on its way. Never rejects. */
export async function offerNewKey(
  host: KeyHost,
  maker: KeyMaker,
  current: AgentSigner,
  order: { readonly slot: number; readonly number: number; readonly challenge: Uint8Array },
): Promise<{ readonly signer: AgentSigner | undefined; readonly isOffered: boolean }> {
  const { slot, number, challenge } = order;
  let made: AgentSigner | undefined;
  try {
    const { signer, publicKey, attestation } = await maker.make(slot, challenge);
    made = signer;
    const by = digestSigner(current, host.sha256);
    const vouched = { sub: host.devicePath, number, slot, challenge, publicKey };
    const offer = attestation === undefined ? vouched : { ...vouched, attestation };
    const text = await stateKeyOffer(offer, by.signer, by.sha256);
    return { signer, isOffered: host.send(keyOfferSubfolder, text) };
  } catch {
    // Whoever made or signed may quote anything in its error; that it failed is told.
    return { signer: made, isOffered: false };
  }
}
