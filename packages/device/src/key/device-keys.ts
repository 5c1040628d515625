/**
 * The keys of a device: one to three, of which one signs; a switch on an instruction, and the way back.
 *
 * A switch is a trial. The new key signs a token, a new connection carries it, and the old connection stays until the
 * bridge has accepted that. Only then is the new key the one in use; a refusal leaves everything as it was. What is
 * being tried is on record before it is tried, so that a loss of power changes nothing of this.
 *
 * Left to others: connections and tokens (`supervisor.ts`), which key is tried while none is accepted
 * (`key-rounds.ts`), making new keys (`key-offering.ts`).
 */
import { utf8Decode } from "@mayfly/core";
import {
  formatInstructionResult,
  type Instruction,
  InstructionError,
  type InstructionErrorCode,
  type InstructionOutcome,
  type InstructionResult,
  instructionSubfolder,
  parseInstruction,
  resultSubfolder,
} from "@mayfly/core/instruction";
import type { AgentSigner, SmallStore } from "../ports.ts";
import type { KeyChoice, KeyHost } from "./key-choice.ts";
import { decodeKeyMemory, encodeKeyMemory } from "./key-memory.ts";
import { type KeyMaker, offerNewKey } from "./key-offering.ts";
import { KeyRounds } from "./key-rounds.ts";

export const deviceKeysMax = 3;
/** Highest slot a device numbers a key with. */
export const deviceSlotMax = 254;
/** A key that is being switched to may fail to sign so often: a chip may have a bad moment. */
export const trialSignFailuresMax = 3;
/** Where the store keeps it. */
export const keyMemoryName = "key";

export interface SlotSigner {
  /** 0 to 254. */
  readonly slot: number;
  readonly signer: AgentSigner;
}

export interface DeviceKeysPorts {
  readonly store: SmallStore;
  /** Absent: this device makes no keys. */
  readonly maker?: KeyMaker;
}

/**
 * @param keys 1 to {@link deviceKeysMax}; the first is in use until an instruction says otherwise.
 * @throws {RangeError} None or too many, a slot out of range, or two of one slot or one key id.
 */
export function createDeviceKeys(keys: readonly SlotSigner[], ports: DeviceKeysPorts): KeyChoice {
  return new DeviceKeys(keys, ports);
}

class DeviceKeys implements KeyChoice {
  readonly #ports: DeviceKeysPorts;
  readonly #rounds = new KeyRounds();
  #keys: readonly SlotSigner[];
  #host: KeyHost | undefined;
  /** Signs now. */
  #signing: SlotSigner;
  /** Signed last what a bridge accepted, as far as is on record. */
  #inUse: SlotSigner;
  #number = 0;
  #signFailures = 0;
  /** What an instruction has us do. */
  #doing: "nothing" | "switch" | "make" = "nothing";
  lastInstruction: InstructionResult | undefined;

  constructor(keys: readonly SlotSigner[], ports: DeviceKeysPorts) {
    checkKeys(keys);
    this.#ports = ports;
    this.#keys = keys;
    const bytes = ports.store.read(keyMemoryName);
    const memory = bytes === undefined ? undefined : decodeKeyMemory(bytes);
    const [first] = keys;
    this.#inUse = this.#find(memory?.slot) ?? (first as SlotSigner);
    const next = this.#find(memory?.next);
    this.#signing = next ?? this.#inUse;
    this.#number = memory?.number ?? 0;
    if (next !== undefined) this.#doing = "switch";
  }

  get signer(): AgentSigner {
    return this.#signing.signer;
  }

  get slot(): number {
    return this.#signing.slot;
  }

  attach(host: KeyHost): void {
    this.#host = host;
  }

  accepted(keyId: string): void {
    if (keyId !== this.#signing.signer.keyId) return;
    this.#rounds.accepted();
    this.#signFailures = 0;
    if (this.#signing === this.#inUse) return;
    const because = this.#doing === "switch" ? "instructed" : "previous_refused";
    this.#inUse = this.#signing;
    this.#remember(undefined).catch(() => {
      // The next start tries the key before again, or this one: either is a key the registry knows.
    });
    this.#host?.tell({ kind: "key_changed", keyId, slot: this.#signing.slot, because });
    if (because === "instructed") this.#settle("done", this.#number);
  }

  refused(keyId: string): void {
    if (keyId !== this.#signing.signer.keyId) return;
    if (this.#doing === "switch") {
      this.#giveUp("key_refused");
      return;
    }
    const at = this.#keys.indexOf(this.#inUse) + this.#rounds.refused(this.#keys.length);
    this.#signing = this.#keys[at % this.#keys.length] ?? this.#inUse;
  }

  signFailed(keyId: string): void {
    if (this.#doing !== "switch" || keyId !== this.#signing.signer.keyId) return;
    this.#signFailures += 1;
    if (this.#signFailures >= trialSignFailuresMax) this.#giveUp("sign_failed");
  }

  async take(subfolder: string, payload: Uint8Array): Promise<void> {
    if (subfolder !== instructionSubfolder) return;
    let instruction: Instruction;
    try {
      instruction = parseInstruction(textOf(payload));
    } catch (error) {
      if (!(error instanceof InstructionError)) throw error;
      this.#report(outcomeOf[error.code], error.number);
      return;
    }
    const because = this.#findReasonNotTo(instruction);
    if (because !== undefined) {
      this.#report(because, instruction.number);
      return;
    }
    if (instruction.order.scope === "offer-key") await this.#makeKey(instruction);
    else await this.#switchTo(this.#wanted(instruction), instruction.number);
  }

  #findReasonNotTo(instruction: Instruction): InstructionOutcome | undefined {
    const { device, numId, number, exp, order } = instruction;
    const mine = this.#host?.devicePath;
    const byNumber = `${device.slice(0, device.lastIndexOf("/") + 1)}${numId}`;
    if (mine !== device && mine !== byNumber) return "other_device";
    if (number <= this.#number) return "repeated";
    if (this.#doing !== "nothing") return "busy";
    const time = this.#host?.readiness();
    if (time?.kind !== "ready") return "clock_unknown";
    if (time.now + time.uncertaintySeconds >= exp) return "expired";
    if (order.scope === "offer-key") return this.#findReasonNotToMake(order.slot);
    return this.#wanted(instruction) === undefined ? "key_unknown" : undefined;
  }

  #findReasonNotToMake(slot: number): InstructionOutcome | undefined {
    // Making a key destroys the one before.
    if (slot === this.#inUse.slot || slot === this.#signing.slot) return "in_use";
    const hasRoom = this.#find(slot) !== undefined || this.#keys.length < deviceKeysMax;
    const mayMake = this.#ports.maker?.slots.includes(slot) === true;
    return hasRoom && mayMake ? undefined : "not_offered";
  }

  #wanted({ order }: Instruction): SlotSigner | undefined {
    if ("key" in order) return this.#keys.find(({ signer }) => signer.keyId === order.key);
    return this.#find(order.slot);
  }

  async #switchTo(key: SlotSigner | undefined, number: number): Promise<void> {
    if (key === undefined) return;
    this.#doing = "switch";
    if (!(await this.#begin(number, key.slot))) return;
    if (key === this.#inUse) {
      this.#settle("in_use", number);
      return;
    }
    this.#signFailures = 0;
    this.#signing = key;
    this.#host?.keyChanged();
  }

  async #makeKey({ number, order }: Instruction): Promise<void> {
    const { maker } = this.#ports;
    const host = this.#host;
    if (maker === undefined || host === undefined || order.scope !== "offer-key") return;
    this.#doing = "make";
    if (!(await this.#begin(number, undefined))) return;
    const { signer, isOffered } = await offerNewKey(host, maker, this.#signing.signer, { ...order, number });
    if (signer !== undefined) {
      // Offered or not, what was in the slot is gone.
      this.#keys = [...this.#keys.filter(({ slot }) => slot !== order.slot), { slot: order.slot, signer }];
    }
    this.#settle(isOffered ? "done" : "offer_failed", number);
  }

  /** From here on the number counts as seen. @returns whether that is on record. */
  async #begin(number: number, next: number | undefined): Promise<boolean> {
    const before = this.#number;
    this.#number = number;
    try {
      await this.#remember(next === this.#inUse.slot ? undefined : next);
      return true;
    } catch {
      this.#number = before;
      this.#settle("not_stored", number);
      return false;
    }
  }

  #giveUp(outcome: "key_refused" | "sign_failed"): void {
    this.#signing = this.#inUse;
    this.#remember(undefined).catch(() => {
      // Then the next start tries once more, and comes back here.
    });
    this.#settle(outcome, this.#number);
  }

  #remember(next: number | undefined): Promise<void> {
    const memory = { slot: this.#inUse.slot, next, number: this.#number };
    return this.#ports.store.write(keyMemoryName, encodeKeyMemory(memory));
  }

  #settle(outcome: InstructionOutcome, number: number): void {
    this.#doing = "nothing";
    this.#report(outcome, number);
  }

  #report(outcome: InstructionOutcome, number: number | undefined): void {
    const { slot, signer } = this.#signing;
    const result: InstructionResult = {
      ...(number === undefined ? undefined : { number }),
      outcome,
      slot,
      key: signer.keyId,
    };
    this.lastInstruction = result;
    this.#host?.tell({ kind: "instruction", ...result });
    this.#host?.send(resultSubfolder, formatInstructionResult(result));
  }

  #find(slot: number | undefined): SlotSigner | undefined {
    return this.#keys.find((key) => key.slot === slot);
  }
}

const outcomeOf = {
  instruction_too_large: "malformed",
  instruction_malformed: "malformed",
  instruction_version_unknown: "version_unknown",
  instruction_scope_unknown: "scope_unknown",
} as const satisfies Record<InstructionErrorCode, InstructionOutcome>;

/** What is no UTF-8 is no instruction either, and is said so by its reader. */
function textOf(payload: Uint8Array): string {
  try {
    return utf8Decode(payload);
  } catch {
    return "";
  }
}

function checkKeys(keys: readonly SlotSigner[]): void {
  if (keys.length < 1 || keys.length > deviceKeysMax) {
    throw new RangeError(`a device has 1 to ${deviceKeysMax} keys, not ${keys.length}`);
  }
  for (const [index, { slot, signer }] of keys.entries()) {
    if (!Number.isInteger(slot) || slot < 0 || slot > deviceSlotMax) {
      throw new RangeError(`a slot is 0 to ${deviceSlotMax}, not ${slot}`);
    }
    const before = keys.slice(0, index);
    if (before.some((one) => one.slot === slot || one.signer.keyId === signer.keyId)) {
      throw new RangeError(`slot ${slot}: two keys have one slot or one id`);
    }
  }
}
