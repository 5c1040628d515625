/**
 * A factory's station for tests: a simulated chip in virtual time, the real driver, and a plug that can be pulled
 * before any transaction on the bus.
 */
import { createHash, createPublicKey, type KeyObject, verify } from "node:crypto";
import { Atecc608 } from "../src/atecc608/atecc608.ts";
import { BusError, type ChipTime, type I2cBus } from "../src/bus.ts";
import { nodeSimCrypto } from "../src/host/node/sim-crypto.ts";
import type { KeyAttestation } from "../src/provisioning/attest-key.ts";
import { mayflyConfigOrder } from "../src/provisioning/compose-config-zone.ts";
import { encodeInternalMessage } from "../src/provisioning/internal-message.ts";
import { padPublicKey } from "../src/provisioning/padded-public-key.ts";
import type { ProvisioningPlan, StationMemory } from "../src/provisioning/provisioning-plan.ts";
import {
  type ChipIdentity,
  type ProvisioningOutcome,
  type ProvisioningPorts,
  runProvisioning,
} from "../src/provisioning/run-provisioning.ts";
import type { ZoneContents } from "../src/provisioning/summary-crc.ts";
import { type ChipSim, type ChipSimOptions, createChipSim } from "../src/sim/chip-sim.ts";
import { simBus } from "../src/sim/sim-bus.ts";

export const mayflyPlan: ProvisioningPlan = {
  order: mayflyConfigOrder,
  lockSlots: [],
  addressChangeWanted: false,
};

export interface Station {
  readonly sim: ChipSim;
  /** Transactions on the bus so far. */
  transactions: number;
  /** Before this transaction the power fails; it comes back with the next run. */
  cutAt: number | undefined;
  /** What the station remembers; tests lose it at will. */
  memory: StationMemory | undefined;
  /** Kinds of steps, in the order they were begun. */
  readonly steps: string[];
  /** Locks that were agreed to. */
  readonly agreed: string[];
  readonly bus: I2cBus & ChipTime;
  /** A driver that knows nothing yet. */
  chip(address?: number): Atecc608;
  run(changes?: Partial<ProvisioningPorts>, plan?: ProvisioningPlan): Promise<ProvisioningOutcome>;
}

export function makeStation(options: Omit<ChipSimOptions, "crypto"> = {}): Station {
  const sim = createChipSim({ crypto: nodeSimCrypto(), seed: 1, ...options });
  const inner = simBus(sim);
  let isDark = false;
  const cutIfDue = () => {
    if (++station.transactions === station.cutAt) {
      isDark = true;
      sim.powerCycle();
    }
    if (isDark) throw new BusError("bus_failed", "the plug was pulled");
  };
  const bus: I2cBus & ChipTime = {
    async write(address, bytes) {
      cutIfDue();
      return await inner.write(address, bytes);
    },
    async read(address, length) {
      cutIfDue();
      return await inner.read(address, length);
    },
    async wake() {
      cutIfDue();
      await inner.wake();
    },
    monotonicMillis: () => inner.monotonicMillis(),
    delayMicros: (micros) => inner.delayMicros(micros),
  };
  const station: Station = {
    sim,
    transactions: 0,
    cutAt: undefined,
    memory: undefined,
    steps: [],
    agreed: [],
    bus,
    chip: (address = 0x60) => new Atecc608(bus, { address, time: bus }),
    run: async (changes = {}, plan = mayflyPlan) => {
      isDark = false;
      const chip = station.chip(changes.currentAddress);
      return await runProvisioning({ ...portsOf(station, chip), ...changes }, plan, station.memory);
    },
  };
  return station;
}

function portsOf(station: Station, chip: Atecc608): ProvisioningPorts {
  let challenges = 0;
  return {
    chip,
    currentAddress: 0x60,
    challenge: () => new Uint8Array(20).fill(++challenges),
    makeContents: async (identity) => contentsFor(identity),
    checkContents: async (identity, contents) => {
      const expected = contentsFor(identity);
      const isGood = [...expected.slots].every(([slot, bytes]) =>
        bytes.every((byte, i) => contents.slots.get(slot)?.[i] === byte),
      );
      return isGood ? undefined : "The chip holds the certificates of other keys.";
    },
    provePossession: async (slot, publicKey) => {
      // What core's encoder would make; here any statement of the station's own does.
      const statement = Buffer.from(`slot ${slot} of the chip under test`);
      const digest = new Uint8Array(createHash("sha256").update(statement).digest());
      const signature = await chip.signDigest(slot, digest);
      return isSignedBy(publicKey, statement, signature);
    },
    checkAttestation: async (attestation, identity) => {
      const key = identity.publicKeys.get(attestation.attestationSlot);
      return key !== undefined && isSignedBy(key, attestedMessage(attestation), attestation.signature);
    },
    agreeToLock: async ({ action }) => {
      station.agreed.push(action.kind);
      return true;
    },
    remember: async (memory) => {
      station.memory = memory;
    },
    starting: (step) => station.steps.push(step.kind),
  };
}

/** Contents that tell which keys they were made for, as certificates do. */
export function contentsFor({ publicKeys }: ChipIdentity): ZoneContents {
  const key = (slot: number) => publicKeys.get(slot) ?? new Uint8Array(64);
  return {
    slots: new Map([
      [8, Uint8Array.from([...key(0), ...key(2), ...key(3)])],
      [10, Uint8Array.from([...key(0), 1, 2, 3, 4, 5, 6, 7, 8])],
      [11, padPublicKey(key(1))],
      [12, Uint8Array.from([...key(3), 8, 7, 6, 5, 4, 3, 2, 1])],
    ]),
    otp: Buffer.from("mayfly test"),
  };
}

export function publicKeyObject(publicKey: Uint8Array): KeyObject {
  const part = (start: number) => Buffer.from(publicKey.subarray(start, start + 32)).toString("base64url");
  return createPublicKey({ key: { kty: "EC", crv: "P-256", x: part(0), y: part(32) }, format: "jwk" });
}

export function isSignedBy(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  return verify("sha256", message, { key: publicKeyObject(publicKey), dsaEncoding: "ieee-p1363" }, signature);
}

/** The 55 bytes, from the digests of the reference (§2.1, Nonce and GenKey). */
export function attestedMessage(attestation: KeyAttestation): Uint8Array {
  const sha256 = (...parts: readonly Uint8Array[]) =>
    new Uint8Array(createHash("sha256").update(Buffer.concat(parts)).digest());
  const { serialNumber: serial, slot, created } = attestation;
  const nonce = sha256(attestation.randomOutput, attestation.challenge, Uint8Array.of(0x16, 0, 0));
  const about = Uint8Array.of(
    0x40,
    created ? 0x0c : 0x08,
    slot,
    0,
    serial[8] ?? 0,
    serial[0] ?? 0,
    serial[1] ?? 0,
  );
  return encodeInternalMessage({
    tempKey: sha256(nonce, about, new Uint8Array(25), attestation.publicKey),
    mode: 0x40,
    signingSlot: attestation.attestationSlot,
    slotConfig: attestation.slotConfig,
    keyConfig: attestation.keyConfig,
    flags: { keyId: slot, fixedInput: false, genDigData: false, genKeyData: true, noMac: false },
    serialNumber: serial,
    slotUnlocked: !attestation.slotLocked,
    publicKeyInvalid: false,
  });
}
