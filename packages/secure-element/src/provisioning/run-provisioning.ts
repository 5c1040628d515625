/**
 * Provisioning carried out: look at the chip, ask the plan for the next step, do it, look again.
 *
 * Holds no state of its own, so that it can be started again after anything that stopped it: a power loss of the
 * chip, of the station, or a person who did not agree to a lock. Signing stays outside: who proves a key makes a
 * possession statement with it, by an encoder that knows the type, and gets no raw signature from here.
 */
import { attestKey, type KeyAttestation } from "./attest-key.ts";
import {
  computePublicKey,
  createKey,
  hasKey,
  lockConfigZone,
  lockDataZone,
  lockSlot,
  readConfigZone,
} from "./chip-commands.ts";
import { configZoneFor, slotsOfKind } from "./compose-config-zone.ts";
import { type ConfigZone, encodeConfigZone, isConfigLocked } from "./config-zone.ts";
import { type DryRun, dryRunLock } from "./dry-run.ts";
import type { FactoryChip } from "./factory-chip.ts";
import { ProvisioningError } from "./provisioning-error.ts";
import {
  type ChipObservation,
  chipSerialText,
  forgetContents,
  freshMemory,
  keySlots,
  type ProvisioningPlan,
  type ProvisioningStep,
  planProvisioning,
  rememberStep,
  type StationMemory,
  type WrittenContents,
} from "./provisioning-plan.ts";
import { readOtp, readSlot } from "./read-zones.ts";
import type { LockAction } from "./strand-rules.ts";
import { configSummaryCrc, contentSlots, dataSummaryCrc, type ZoneContents } from "./summary-crc.ts";
import { fillOtp, fillSlot, writeConfigZone } from "./write-zones.ts";

/** Steps of one run: 16 keys, 16 proofs and 16 slot locks at the very most, and a handful of others. */
export const provisioningStepsMax = 64;

/** A chip's own, for whoever makes and checks its certificates. */
export interface ChipIdentity {
  /** 9 bytes. */
  readonly serialNumber: Uint8Array;
  /** X‖Y by slot, of all slots that sign or attest. */
  readonly publicKeys: ReadonlyMap<number, Uint8Array>;
}

export interface ProvisioningPorts {
  readonly chip: FactoryChip;
  /** 7-bit address the chip answers at in this run. */
  readonly currentAddress: number;
  /** 20 unpredictable bytes, new each time, for an attestation. */
  challenge(): Uint8Array;
  /** Makes what the slots shall hold, such as the certificates for these keys. */
  makeContents(identity: ChipIdentity): Promise<ZoneContents>;
  /** Judges what a locked chip holds. @returns A sentence where it is wrong. */
  checkContents(identity: ChipIdentity, contents: ZoneContents): Promise<string | undefined>;
  /** Has the slot's key sign a possession statement and verifies it. */
  provePossession(slot: number, publicKey: Uint8Array, identity: ChipIdentity): Promise<boolean>;
  /** Verifies an attestation the chip made of its attestation key. */
  checkAttestation(attestation: KeyAttestation, identity: ChipIdentity): Promise<boolean>;
  /** Shown the dry run, says whether to lock. */
  agreeToLock(dryRun: DryRun): Promise<boolean>;
  /** Keeps the station's memory, durably if it can. */
  remember(memory: StationMemory): Promise<void>;
  /** Told before each step, for people who watch. */
  starting?(step: ProvisioningStep): void;
}

export interface ProvisioningReport extends ChipIdentity {
  readonly config: ConfigZone;
  /** Slots whose key was made at this station's order; others were found in a locked chip. */
  readonly keysMadeHere: readonly number[];
  readonly contents: ZoneContents;
}

export type ProvisioningOutcome =
  | { readonly kind: "done"; readonly report: ProvisioningReport }
  /** Nothing was done that the chip refuses; the sentences say what is wrong with it or with the plan. */
  | { readonly kind: "refused"; readonly because: readonly string[] }
  /** The dry run was not agreed to. Start again to be asked again. */
  | { readonly kind: "not-agreed"; readonly dryRun: DryRun }
  /** The chip was told another I2C address: start again with a driver for it. */
  | { readonly kind: "reconnect"; readonly address: number };

/**
 * Provisions a chip, from whatever state it is in to the end of the plan.
 *
 * @param remembered What `remember` was last given for this chip; a fresh memory where that is lost.
 * @throws {ProvisioningError} A step failed. Rejects with the driver's and the ports' errors too. Start again.
 */
export async function runProvisioning(
  ports: ProvisioningPorts,
  plan: ProvisioningPlan,
  remembered: StationMemory = freshMemory(""),
): Promise<ProvisioningOutcome> {
  let memory = remembered;
  for (let taken = 0; taken < provisioningStepsMax; taken++) {
    const chip = await observeChip(ports.chip);
    const serial = chipSerialText(chip.config.serialNumber);
    if (memory.chipSerial !== serial) memory = freshMemory(serial);
    const step = planProvisioning(chip, plan, memory);
    ports.starting?.(step);
    const end = await new StepRun(ports, plan, chip, memory).carryOut(step);
    if (end.outcome !== undefined) return end.outcome;
    memory = rememberStep(memory, step, end.contents);
    await ports.remember(memory);
  }
  throw new ProvisioningError("no_progress", "the chip does not keep what is done to it", {
    steps: provisioningStepsMax,
  });
}

/** Looks at a chip without changing it. */
export async function observeChip(chip: FactoryChip): Promise<ChipObservation> {
  const config = await readConfigZone(chip);
  if (!isConfigLocked(config)) return { config, keysPresent: undefined };
  const keysPresent = new Set<number>();
  for (const [slot, { key }] of config.slots.entries()) {
    if (key.isPrivate && (await hasKey(chip, slot))) keysPresent.add(slot);
  }
  return { config, keysPresent };
}

interface StepEnd {
  readonly outcome?: ProvisioningOutcome;
  readonly contents?: WrittenContents;
}

/** One step, with what was known when it was chosen. */
class StepRun {
  readonly #ports: ProvisioningPorts;
  readonly #plan: ProvisioningPlan;
  readonly #observed: ChipObservation;
  readonly #memory: StationMemory;

  constructor(
    ports: ProvisioningPorts,
    plan: ProvisioningPlan,
    observed: ChipObservation,
    memory: StationMemory,
  ) {
    this.#ports = ports;
    this.#plan = plan;
    this.#observed = observed;
    this.#memory = memory;
  }

  async carryOut(step: ProvisioningStep): Promise<StepEnd> {
    const { chip } = this.#ports;
    switch (step.kind) {
      case "refuse":
        return { outcome: { kind: "refused", because: step.because } };
      case "write-config":
        return await this.#writeConfig(step.zone);
      case "lock-config":
      case "lock-data":
      case "lock-slot":
        return await this.#lock(step);
      case "create-key":
        await createKey(chip, step.slot);
        return {};
      case "write-contents":
        return { contents: await this.#writeContents() };
      case "check-contents":
        return await this.#checkContents();
      case "prove-key":
        await this.#proveKey(step.slot, step.by);
        return {};
      case "done":
        return { outcome: { kind: "done", report: await this.#report() } };
    }
  }

  async #writeConfig(zone: ConfigZone): Promise<StepEnd> {
    // Judged before the first byte: a chip that moved to another address by mistake is as good as lost.
    const { refused } = this.#dryRun({ kind: "lock-config" }, zone);
    if (refused.length > 0) return refusedFor(refused);
    await writeConfigZone(this.#ports.chip, zone);
    if (zone.i2cAddress === this.#observed.config.i2cAddress) return {};
    return { outcome: { kind: "reconnect", address: zone.i2cAddress >> 1 } };
  }

  async #lock(action: LockAction): Promise<StepEnd> {
    const { chip } = this.#ports;
    const dryRun = this.#dryRun(action, this.#observed.config);
    if (dryRun.refused.length > 0) return refusedFor(dryRun.refused);
    if (!(await this.#ports.agreeToLock(dryRun))) return { outcome: { kind: "not-agreed", dryRun } };
    switch (action.kind) {
      case "lock-config":
        await lockConfigZone(chip, configSummaryCrc(encodeConfigZone(this.#observed.config)));
        break;
      case "lock-data":
        try {
          await lockDataZone(chip, this.#memory.contents?.crc ?? 0);
        } catch (error) {
          // Perhaps the chip does not hold what we think it holds: next time all of it is written again.
          await this.#ports.remember(forgetContents(this.#memory));
          throw error;
        }
        break;
      case "lock-slot":
        await lockSlot(chip, action.slot);
    }
    return {};
  }

  #dryRun(action: LockAction, zone: ConfigZone): DryRun {
    const { order, addressChangeWanted } = this.#plan;
    const { contents } = this.#memory;
    const planned = encodeConfigZone(configZoneFor(zone, order));
    const isConfig = action.kind === "lock-config";
    return dryRunLock({
      action,
      zone,
      order,
      currentAddress: this.#ports.currentAddress,
      addressChangeWanted,
      keysPresent: this.#observed.keysPresent,
      slotsWritten: contents === undefined ? undefined : new Set(contents.slots),
      summaryCrc: isConfig ? configSummaryCrc(encodeConfigZone(zone)) : contents?.crc,
      contentCrc: isConfig ? configSummaryCrc(planned) : contents?.crc,
    });
  }

  async #writeContents(): Promise<WrittenContents> {
    const { chip } = this.#ports;
    const { config } = this.#observed;
    const contents = await this.#ports.makeContents(await this.#identity());
    const crc = dataSummaryCrc(config, contents);
    for (const slot of contentSlots(config)) {
      await fillSlot(chip, slot, contents.slots.get(slot) ?? new Uint8Array(0));
    }
    await fillOtp(chip, contents.otp);
    return { crc, slots: [...contents.slots.keys()].sort((a, b) => a - b) };
  }

  async #checkContents(): Promise<StepEnd> {
    const wrong = await this.#ports.checkContents(await this.#identity(), await this.#readContents());
    return wrong === undefined ? {} : { outcome: { kind: "refused", because: [wrong] } };
  }

  async #readContents(): Promise<ZoneContents> {
    const { chip } = this.#ports;
    const { order } = this.#plan;
    const slots = new Map<number, Uint8Array>();
    for (const slot of [...slotsOfKind(order, "data"), ...slotsOfKind(order, "public-key")]) {
      slots.set(slot, await readSlot(chip, slot));
    }
    return { slots, otp: await readOtp(chip) };
  }

  async #proveKey(slot: number, by: "possession" | "attestation"): Promise<void> {
    const ports = this.#ports;
    const identity = await this.#identity();
    const publicKey = identity.publicKeys.get(slot);
    if (publicKey === undefined) throw notProved(slot);
    const isProved =
      by === "possession"
        ? await ports.provePossession(slot, publicKey, identity)
        : await ports.checkAttestation(
            await attestKey(ports.chip, {
              slot,
              attestationSlot: slot,
              challenge: ports.challenge(),
              key: "existing",
            }),
            identity,
          );
    if (!isProved) throw notProved(slot);
  }

  async #identity(): Promise<ChipIdentity> {
    const publicKeys = new Map<number, Uint8Array>();
    for (const slot of keySlots(this.#plan.order)) {
      publicKeys.set(slot, await computePublicKey(this.#ports.chip, slot));
    }
    return { serialNumber: this.#observed.config.serialNumber, publicKeys };
  }

  async #report(): Promise<ProvisioningReport> {
    return {
      ...(await this.#identity()),
      config: this.#observed.config,
      keysMadeHere: this.#memory.keysCreated,
      contents: await this.#readContents(),
    };
  }
}

function refusedFor(refused: DryRun["refused"]): StepEnd {
  return { outcome: { kind: "refused", because: refused.map(({ sentence }) => sentence) } };
}

function notProved(slot: number): ProvisioningError {
  return new ProvisioningError("possession_not_proved", `the key in slot ${slot} did not prove itself`, {
    slot,
  });
}
