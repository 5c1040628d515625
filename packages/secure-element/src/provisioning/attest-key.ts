/**
 * Attestation: the chip itself vouches that a key lives in it, in which slot, and under which rules.
 *
 * Three commands that nobody may come between: a random Nonce over the verifier's challenge (so that the answer is
 * fresh), GenKey with a digest of the public key, and an internal Sign by the attestation slot. The slot's rules
 * are part of what is signed, so a verifier sees that the key cannot have been brought in from outside.
 */

import { commandPort } from "../atecc608/command-port.ts";
import { opcodes } from "../atecc608/opcodes.ts";
import { genKeyModes, readConfigZone } from "./chip-commands.ts";
import { configuredSlot, isSlotLocked } from "./config-zone.ts";
import { type FactoryChip, noData } from "./factory-chip.ts";
import { internalSignModes } from "./internal-message.ts";
import { ProvisioningError } from "./provisioning-error.ts";
import { encodeKeyConfig, encodeSlotConfig } from "./slot-config.ts";

/** NumIn of the Nonce command. */
export const attestationChallengeBytes = 20;

/** What a verifier needs beside the attestation key it registered; it fits core's `KeyAttestation` by shape. */
export interface KeyAttestation {
  /** The chip serial number, 9 bytes. */
  readonly serialNumber: Uint8Array;
  /** The verifier's, 20 bytes. */
  readonly challenge: Uint8Array;
  /** What the chip drew for this Nonce, 32 bytes. */
  readonly randomOutput: Uint8Array;
  readonly slot: number;
  /** X‖Y, 64 bytes. */
  readonly publicKey: Uint8Array;
  /** The key was made by the very command that is attested. */
  readonly created: boolean;
  readonly attestationSlot: number;
  /** SlotConfig and KeyConfig of `slot`, 16 bits each. */
  readonly slotConfig: number;
  readonly keyConfig: number;
  readonly slotLocked: boolean;
  /** R‖S, 64 bytes, over SHA-256 of the 55-byte message. */
  readonly signature: Uint8Array;
}

/**
 * @param order `challenge`: 20 bytes the verifier chose. `key`: "new" destroys the slot's key and makes another.
 * @throws {ProvisioningError} `attestation_malformed`: a challenge of another length. Rejects with the driver's
 *   error where the slots or the locks do not allow it.
 */
export async function attestKey(
  chip: FactoryChip,
  order: {
    readonly slot: number;
    readonly attestationSlot: number;
    readonly challenge: Uint8Array;
    readonly key: "existing" | "new";
  },
): Promise<KeyAttestation> {
  const { slot, attestationSlot, challenge, key } = order;
  if (challenge.length !== attestationChallengeBytes) {
    throw new ProvisioningError("attestation_malformed", "the challenge of an attestation is 20 bytes", {
      bytes: challenge.length,
    });
  }
  const config = await readConfigZone(chip);
  const words = configuredSlot(config, slot);
  const create = key === "new" ? genKeyModes.createPrivate : 0;
  const signed = await chip[commandPort].together(async (held) => {
    const randomOutput = await held.execute(opcodes.nonce, 0x00, 0, challenge, 32);
    const publicKey = await held.execute(opcodes.genKey, genKeyModes.digest | create, slot, noData(), 64);
    const signature = await held.execute(
      opcodes.sign,
      internalSignModes.fullSerial,
      attestationSlot,
      noData(),
      64,
    );
    return { randomOutput, publicKey, signature };
  });
  return {
    serialNumber: config.serialNumber,
    challenge: challenge.slice(),
    slot,
    created: key === "new",
    attestationSlot,
    slotConfig: encodeSlotConfig(words.slot),
    keyConfig: encodeKeyConfig(words.key),
    slotLocked: isSlotLocked(config, slot),
    ...signed,
  };
}
