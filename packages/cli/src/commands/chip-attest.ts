/**
 * `mayfly chip attest`: the chip's own word that a key lives in it, in which slot, and under which rules.
 */
import { verifyKeyAttestation } from "@mayfly/core";
import { type Command, InvalidArgumentError } from "commander";
import { type ChipFlags, withChip } from "../chip-flags.ts";
import { newCommand, outputOf, required, wholeNumber } from "../flags.ts";
import { withOpenChip } from "../host/chip.ts";
import { platformSha256, platformVerifier, publicKeyOfPoint } from "../host/keys.ts";
import { randomChallenge } from "../host/random.ts";
import { formatFields } from "../output.ts";

const CHALLENGE_BYTES = 20;

interface AttestFlags extends ChipFlags {
  readonly slot: number;
  readonly attestationSlot: number;
  readonly challenge?: Uint8Array;
  readonly newKey?: true;
}

export function addChipAttestCommand(group: Command): void {
  group.addCommand(
    withChip(newCommand("attest", "have the chip attest the key of a slot, and verify what it says"))
      .option("--slot <N>", required("slot of the key"), wholeNumber(0, 15))
      .option("--attestation-slot <N>", "slot that attests", wholeNumber(0, 15), 1)
      .option("--challenge <HEX>", "the verifier's 20 bytes (default: new random ones)", parseChallenge)
      .option("--new-key", "make a new key in the slot first: the one there is destroyed")
      .action(attest),
  );
}

async function attest(flags: AttestFlags): Promise<void> {
  const output = outputOf(flags);
  const { attestKey } = await import("@mayfly/secure-element/provisioning");
  const challenge = flags.challenge ?? randomChallenge(CHALLENGE_BYTES);
  const { attestation, attestationKey } = await withOpenChip(flags, async ({ chip }) => ({
    attestationKey: publicKeyOfPoint(await chip.publicKey(flags.attestationSlot)),
    attestation: await attestKey(chip, {
      slot: flags.slot,
      attestationSlot: flags.attestationSlot,
      challenge,
      key: flags.newKey === true ? "new" : "existing",
    }),
  }));
  const attested = verifyKeyAttestation(
    attestation,
    {
      serialNumber: attestation.serialNumber,
      challenge,
      slot: flags.slot,
      attestationSlot: flags.attestationSlot,
      attestationKey: attestationKey.key,
    },
    { sha256: platformSha256, verifier: platformVerifier },
  );
  const key = publicKeyOfPoint(attested.publicKey);
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
  const value = {
    serialNumber: hex(attestation.serialNumber),
    slot: attestation.slot,
    keyId: key.keyId,
    pem: key.pem,
    created: attested.created,
    replaceable: attested.replaceable,
    attestation: {
      challenge: hex(attestation.challenge),
      randomOutput: hex(attestation.randomOutput),
      publicKey: hex(attestation.publicKey),
      attestationSlot: attestation.attestationSlot,
      slotConfig: attestation.slotConfig,
      keyConfig: attestation.keyConfig,
      slotLocked: attestation.slotLocked,
      signature: hex(attestation.signature),
    },
    attestationKey: { keyId: attestationKey.keyId, pem: attestationKey.pem },
  };
  output.result(value, () =>
    [
      formatFields([
        ["chip serial number", value.serialNumber],
        ["slot", value.slot],
        ["key", value.keyId],
        ["made just now", value.created ? "yes" : "no"],
        ["replaceable", value.replaceable ? "yes, by the device itself" : "no"],
        ["attested by", `slot ${flags.attestationSlot}, key ${attestationKey.keyId}`],
      ]),
      "The chip signed this, and the slot's rules keep the key inside. Whether the attesting key is that of a",
      "genuine device, only its registry knows: compare it with the one registered for this chip.",
    ].join("\n"),
  );
}

function parseChallenge(text: string): Uint8Array {
  if (new RegExp(`^[0-9a-f]{${2 * CHALLENGE_BYTES}}$`, "i").test(text)) {
    return Uint8Array.from(Buffer.from(text, "hex"));
  }
  throw new InvalidArgumentError(`It must be ${CHALLENGE_BYTES} bytes in hexadecimal.`);
}
