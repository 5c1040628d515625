/**
 * Instructions on record: each device's last one, numbered, and what the device said came of it.
 *
 * A number is never given twice: it is the last one and one more, or the time in seconds where that is greater, so
 * that a registry restored from yesterday's backup does not give numbers again which devices have seen.
 *
 * Left to others: sending (the bridge), proof that a key is in use (admission sees it verify), and what becomes of an
 * offered key (`key-offers.ts`).
 */
import { type Clock, formatDeviceName, hexEncode, type Random } from "@mayfly/core";
import {
  type Instruction,
  type InstructionOrder,
  type InstructionResult,
  instructionSecondsMax,
  offerChallengeBytes,
} from "@mayfly/core/instruction";
import { findKeyRefusal } from "@mayfly/core/token";
import type { Devices } from "./devices.ts";
import { RegistryError } from "./error.ts";
import type { DeviceRecord, DeviceRef, InstructionRecord } from "./model.ts";
import type { RegistryStore } from "./store.ts";

export const instructionSecondsDefault = 3_600;

export type InstructionRequest = (
  | { readonly scope: "use-key"; readonly slot: number }
  | { readonly scope: "use-key"; readonly keyId: string }
  | { readonly scope: "offer-key"; readonly slot: number }
) & {
  /** From now on, 1 to {@link instructionSecondsMax}. Default {@link instructionSecondsDefault}. */
  readonly lifetimeSeconds?: number;
  readonly campaign?: string;
};

export interface Instructions {
  /**
   * Gives a device its next instruction.
   *
   * @returns It, to be sent, and how it stands on record.
   * @throws {RegistryError} not_found; precondition_failed: the registry could not take what is asked for: the key is
   *   not on record or may not verify, or the policy takes no offers.
   */
  issue(
    ref: DeviceRef,
    request: InstructionRequest,
  ): Promise<{
    readonly instruction: Instruction;
    readonly record: InstructionRecord;
    readonly deviceId: string;
  }>;
  /** A device says what came of an instruction. What is not about the last one is ignored. */
  noteResult(ref: DeviceRef, result: InstructionResult): Promise<void>;
}

export function createInstructions(ports: {
  readonly devices: Pick<Devices, "inTurn">;
  readonly store: Pick<RegistryStore, "findRegistry" | "updateDevice">;
  readonly clock: Clock;
  readonly random: Random;
}): Instructions {
  const { devices, store, clock, random } = ports;

  async function orderOf(device: DeviceRecord, request: InstructionRequest): Promise<InstructionOrder> {
    const registry = await store.findRegistry(device);
    if (request.scope === "offer-key") {
      if (registry === undefined || registry.policy.keyOffers === "refuse") {
        throw new RegistryError(
          "precondition_failed",
          "The registry's policy takes no key offers (keyOffers).",
        );
      }
      const challenge = random.fill(new Uint8Array(offerChallengeBytes));
      return { scope: request.scope, slot: request.slot, challenge };
    }
    const fits = (key: DeviceRecord["keys"][number]): boolean =>
      "slot" in request ? key.slot === request.slot : key.keyId === request.keyId;
    const wanted = "slot" in request ? `slot ${request.slot}` : `the name '${request.keyId}'`;
    const keys = device.keys.filter(fits);
    const now = clock.wallSeconds();
    const usable = keys.find(
      (key) => registry !== undefined && findKeyRefusal(key, registry.policy, now) === undefined,
    );
    if (usable === undefined) {
      const [known] = keys;
      throw new RegistryError(
        "precondition_failed",
        known === undefined
          ? `The device has no key on record with ${wanted}: it would come back with a key nobody knows.`
          : `The key '${known.keyId}' is ${known.state}: it would be refused.`,
      );
    }
    // The slot is the device's own name for a key; ours may have been chosen by an operator.
    return usable.slot === undefined
      ? { scope: "use-key", key: usable.keyId }
      : { scope: "use-key", slot: usable.slot };
  }

  return {
    issue: (ref, request) =>
      devices.inTurn(ref, async (device) => {
        const order = await orderOf(device, request);
        const iat = Math.floor(clock.wallSeconds());
        const number = Math.max((device.instruction?.number ?? 0) + 1, iat);
        const exp = iat + (request.lifetimeSeconds ?? instructionSecondsDefault);
        const campaign = request.campaign === undefined ? {} : { campaign: request.campaign };
        const record: InstructionRecord = {
          number,
          scope: order.scope,
          ...("slot" in order ? { slot: order.slot } : { keyId: order.key }),
          ...campaign,
          issuedAtSeconds: iat,
          expiresAtSeconds: exp,
          ...("challenge" in order ? { challenge: hexEncode(order.challenge) } : {}),
        };
        await store.updateDevice(ref, { instruction: record });
        const { project, location, registry, deviceId, numId } = device;
        const name = formatDeviceName({ project, location, registry, device: deviceId });
        const instruction = { number, device: name, numId, iat, exp, ...campaign, order };
        return { instruction, record, deviceId };
      }),
    noteResult: (ref, { number, outcome }) =>
      devices.inTurn(ref, async ({ instruction }) => {
        if (instruction === undefined || instruction.number !== number) return;
        // A repeat that was sent again says nothing about the first, which is still to be told or was.
        if (instruction.outcome !== undefined && (outcome === "repeated" || outcome === instruction.outcome))
          return;
        const outcomeMs = Math.floor(clock.wallSeconds() * 1000);
        await store.updateDevice(ref, { instruction: { ...instruction, outcome, outcomeMs } });
      }),
  };
}
