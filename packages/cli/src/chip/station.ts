/**
 * A provisioning station on this machine: proves keys and keeps what an open chip does not show.
 *
 * It signs possession statements and attestations only, and gives nobody a raw signature. Certificates are the
 * factory's; what a data slot shall hold comes here as bytes.
 */
import { equalBytes, verifyKeyAttestation } from "@mayfly/core";
import { possessionChallengeBytes, statePossession, TokenError, verifyPossession } from "@mayfly/core/token";
import {
  attestationChallengeBytes,
  chipSerialText,
  type DryRun,
  freshMemory,
  type ProvisioningOutcome,
  type ProvisioningPlan,
  type ProvisioningPorts,
  type ProvisioningStep,
  runProvisioning,
  type StationMemory,
} from "@mayfly/secure-element/provisioning";
import type { Atecc608 } from "@mayfly/secure-element/signer";
import type { OpenChip } from "../host/chip.ts";
import { readTextIfThere, writeSecret } from "../host/files.ts";
import { platformSha256, platformVerifier, publicKeyOfPoint } from "../host/keys.ts";
import { randomChallenge } from "../host/random.ts";

export interface StationOrder {
  readonly plan: ProvisioningPlan;
  /** Slots and what they shall hold. */
  readonly contents: ReadonlyMap<number, Uint8Array>;
  /** Where the station's memory of this chip is kept. */
  readonly memoryFile: string;
  readonly memory: StationMemory;
  agreeToLock(dryRun: DryRun): boolean;
  starting(step: ProvisioningStep): void;
}

/** How often a chip may be told another address in one run. */
const MOVES_MAX = 2;

/** Provisions the chip to the end of the plan, or to the first lock that is not agreed to. */
export async function provisionChip(opened: OpenChip, order: StationOrder): Promise<ProvisioningOutcome> {
  let { chip, address } = opened;
  let memory = order.memory;
  const remember = async (next: StationMemory): Promise<void> => {
    memory = next;
    await writeSecret(order.memoryFile, `${JSON.stringify(next)}\n`);
  };
  for (let moves = 0; ; moves++) {
    const outcome = await runProvisioning({ ...portsOf(chip, address, order), remember }, order.plan, memory);
    if (outcome.kind !== "reconnect" || moves >= MOVES_MAX) return outcome;
    // A chip takes its new address up when it next falls asleep.
    await chip.sleep();
    address = outcome.address;
    chip = opened.at(address);
  }
}

/** What the station remembers of a chip; nothing where the file is missing, damaged or of another chip. */
export async function readMemory(file: string, chipSerial: string): Promise<StationMemory> {
  const text = await readTextIfThere(file);
  if (text === undefined) return freshMemory(chipSerial);
  try {
    const value: unknown = JSON.parse(text);
    if (isMemory(value) && value.chipSerial === chipSerial) return value;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  // Losing it is harmless: steps whose outcome an open chip does not show are done again.
  return freshMemory(chipSerial);
}

function isMemory(value: unknown): value is StationMemory {
  if (typeof value !== "object" || value === null) return false;
  const { chipSerial, keysCreated, contentsChecked, keysProved, contents } = value as Partial<
    Record<keyof StationMemory, unknown>
  >;
  return (
    typeof chipSerial === "string" &&
    areSlots(keysCreated) &&
    typeof contentsChecked === "boolean" &&
    areSlots(keysProved) &&
    (contents === undefined || areContents(contents))
  );
}

function areSlots(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((slot) => Number.isInteger(slot) && slot >= 0 && slot <= 15);
}

function areContents(value: unknown): boolean {
  if (typeof value !== "object" || value === null || !("crc" in value) || !("slots" in value)) return false;
  return Number.isInteger(value.crc) && areSlots(value.slots);
}

function portsOf(chip: Atecc608, address: number, order: StationOrder): Omit<ProvisioningPorts, "remember"> {
  const { contents } = order;
  return {
    chip,
    currentAddress: address,
    challenge: () => randomChallenge(attestationChallengeBytes),
    makeContents: async () => ({ slots: contents, otp: new Uint8Array(0) }),
    checkContents: async (_, found) => {
      const wrong = [...contents].filter(([slot, bytes]) => {
        const kept = found.slots.get(slot) ?? new Uint8Array(0);
        return !equalBytes(kept.subarray(0, bytes.length), bytes);
      });
      if (wrong.length === 0) return undefined;
      return `The chip holds something else than it was given: slot ${wrong.map(([slot]) => slot).join(", ")}.`;
    },
    provePossession: async (slot, publicKey, { serialNumber }) => {
      const facts = {
        chipSerial: chipSerialText(serialNumber),
        slot,
        publicKey,
        challenge: randomChallenge(possessionChallengeBytes),
      };
      const ports = { sha256: platformSha256, verifier: platformVerifier };
      const signer = { signDigest: (digest: Uint8Array) => chip.signDigest(slot, digest) };
      const statement = await statePossession(facts, signer, platformSha256);
      try {
        verifyPossession(statement, facts, publicKeyOfPoint(publicKey).key, ports);
        return true;
      } catch (error) {
        if (error instanceof TokenError) return false;
        throw error;
      }
    },
    checkAttestation: async (attestation, { serialNumber, publicKeys }) => {
      const key = publicKeys.get(attestation.attestationSlot);
      if (key === undefined) return false;
      const attested = verifyKeyAttestation(
        attestation,
        {
          serialNumber,
          challenge: attestation.challenge,
          slot: attestation.slot,
          attestationSlot: attestation.attestationSlot,
          attestationKey: publicKeyOfPoint(key).key,
        },
        { sha256: platformSha256, verifier: platformVerifier },
      );
      return equalBytes(attested.publicKey, key);
    },
    agreeToLock: async (dryRun) => order.agreeToLock(dryRun),
    starting: order.starting,
  };
}
