/**
 * The chip on the bus: asleep, idle or active, and what each transaction does to it.
 *
 * Time is a number that moves with the transactions and with {@link ChipSim.advanceMicros}; whatever was due by then
 * (the end of a command, the watchdog, a fault) is worked off in order before a transaction is judged. So a run is a
 * function of its inputs, and a thousand signatures cost no waiting.
 *
 * Left to others: what commands mean (`commands/`), and who drives the transactions (`sim-bus.ts`, the socket server).
 */

import type { ChipCore } from "./chip-core.ts";
import { createChipCore, isRefusal } from "./chip-core.ts";
import { runCommand } from "./commands/run-command.ts";
import {
  COMMUNICATION_ERROR_MICROS,
  LATCH_AT_POWER_UP,
  LONG_WATCHDOG_MICROS,
  READ_PAST_END_BYTE,
  REFUSAL_MICROS,
  STATUS_OF_GROUP_CUT_OFF,
} from "./doubts.ts";
import type { EepromWrite } from "./eeprom.ts";
import { Eeprom } from "./eeprom.ts";
import type { Profile } from "./execution-time.ts";
import { executionMicros } from "./execution-time.ts";
import type { FaultName, FaultPlan } from "./faults.ts";
import { faultDie, flipOneBit, NACK_STORM_TRANSACTIONS_MAX } from "./faults.ts";
import type { ImageName } from "./images.ts";
import { buildImage, decodeImage, encodeImage } from "./images.ts";
import { opcode } from "./opcodes.ts";
import { COMMAND_COUNT_MAX, frameAnswer, judgeGroup } from "./packet.ts";
import type { SimCrypto } from "./sim-crypto.ts";
import type { SimRandom } from "./sim-random.ts";
import { hostRandom, seededRandom, unitInterval } from "./sim-random.ts";
import type { ChipStatus } from "./status.ts";
import { chipStatus } from "./status.ts";
import { emptyVolatileState } from "./volatile-state.ts";

/** Above this clock a byte of zeros is shorter than 60 µs and wakes nothing: 8 bits / 60 µs. */
export const WAKE_HZ_MAX = 133_333;
/** tWHI: from the end of the wake pulse to the first answer. */
export const WAKE_TO_READY_MICROS = 1_500;
/** The same where the chip tests itself first (ChipOptions bit 0). */
export const WAKE_WITH_SELF_TEST_MICROS = 20_000;
/** The short watchdog: 1.3 s typical, 0.7 s at the least. */
export const WATCHDOG_MICROS = { typical: 1_300_000, worst: 700_000 } as const;
/** The longest stretch of bytes one transaction carries. */
export const TRANSACTION_BYTES_MAX = 1024;
/** Clock pulses that free SDA from a chip in the middle of a byte. */
const PULSES_TO_FREE_SDA = 9;
const BUS_HZ_DEFAULT = 100_000;

const WORD_ADDRESS_REWIND = 0x00;
const WORD_ADDRESS_SLEEP = 0x01;
const WORD_ADDRESS_IDLE = 0x02;
const WORD_ADDRESS_COMMAND = 0x03;

/** "stuck": SDA is held low and nobody can talk; see the fault `stuck_sda`. */
export type WriteResult = "ack" | "nack" | "stuck";
export type ReadResult = Uint8Array | "nack" | "stuck";

export interface ChipSimOptions {
  readonly crypto: SimCrypto;
  /** 0 to 2^53 - 1: the same seed gives the same chip, keys, signatures and faults. Without one, the host's randomness. */
  readonly seed?: number;
  /** A name, or an image as {@link ChipSim.image} gave it. Default "factory-fresh". */
  readonly image?: ImageName | Uint8Array;
  /** Execution times and watchdog. Default "typical". */
  readonly profile?: Profile;
  readonly faults?: FaultPlan;
  /** The per-signature secret, 32 bytes, for the traces of RFC 6979; drawn at random otherwise. */
  readonly k?: () => Uint8Array;
}

export interface ChipSim {
  /** START, address + W, bytes, STOP. @param address 7-bit. @param hz This transaction's clock; default the bus's. */
  write(address: number, bytes: Uint8Array, hz?: number): WriteResult;
  /** START, address + R, `length` bytes (1 to {@link TRANSACTION_BYTES_MAX}), STOP. */
  read(address: number, length: number, hz?: number): ReadResult;
  /** Virtual time goes on; 0 or more µs. */
  advanceMicros(micros: number): void;
  setBusHz(hz: number): void;
  /** Clock pulses with SDA left alone: nine free a stuck bus. */
  pulseClock(count: number): void;
  /** Whether SDA is held low, so that nobody on the bus can talk. */
  isHoldingBus(): boolean;
  /** Power off and on. A command in the middle of writing EEPROM leaves a torn write behind. */
  powerCycle(): void;
  /** All that survives a power cut, private keys included, as a versioned file. */
  image(): Uint8Array;
  /** Virtual time since the simulator was made, µs. */
  nowMicros(): number;
  powerState(): "asleep" | "idle" | "active";
  /** Counts writes that reached EEPROM: it is time to save the image when it has grown. */
  eepromChanges(): number;
}

interface Execution {
  readonly startMicros: number;
  readonly endMicros: number;
  readonly answer: Uint8Array;
  readonly writes: readonly EepromWrite[];
  /** A fault that ends it, and when. */
  readonly cut?: { readonly atMicros: number; readonly by: "brown_out" | "torn_write" };
  readonly sleepsAtEnd: boolean;
}

/** @throws {ImageError} The given image is none. */
export function createChipSim(options: ChipSimOptions): ChipSim {
  return new Chip(options);
}

class Chip implements ChipSim {
  readonly #core: ChipCore;
  readonly #profile: Profile;
  readonly #faultRandom: SimRandom;
  readonly #happens: (name: FaultName) => boolean;
  #now = 0;
  #busHz = BUS_HZ_DEFAULT;
  #power: "asleep" | "idle" | "active" = "asleep";
  #readyAt = 0;
  #watchdogAt = Number.POSITIVE_INFINITY;
  /** Takes effect with sleep and power-up, so it is read then and not at each transaction. */
  #address = 0;
  #input: Uint8Array = new Uint8Array(0);
  #output: Uint8Array = new Uint8Array(0);
  #pointer = 0;
  #execution: Execution | undefined;
  #nacksToCome = 0;
  #isStuck = false;

  constructor(options: ChipSimOptions) {
    const { crypto, seed } = options;
    const stream = (label: string): SimRandom =>
      seed === undefined ? hostRandom(crypto) : seededRandom(crypto, seed, label);
    const random = stream("chip");
    const image = options.image ?? "factory-fresh";
    this.#profile = options.profile ?? "typical";
    this.#faultRandom = stream("faults");
    this.#happens = faultDie(options.faults ?? {}, this.#faultRandom);
    this.#core = createChipCore({
      eeprom: new Eeprom(
        typeof image === "string" ? buildImage(image, crypto, stream("image")) : decodeImage(image),
      ),
      crypto,
      random,
      drawK: options.k ?? (() => random.bytes(32)),
      drawsSelfTestFailure: () => this.#happens("self_test_failure"),
    });
    this.#address = this.#configuredAddress();
  }

  write(address: number, bytes: Uint8Array, hz: number = this.#busHz): WriteResult {
    this.#settle();
    if (this.#isStuck) return "stuck";
    if (address === 0) return this.#generalCall(bytes, hz);
    if (!this.#acknowledges(address)) {
      this.#spendBus(0, hz);
      return "nack";
    }
    this.#spendBus(bytes.length, hz);
    this.#settle();
    // The watchdog may have come while the bytes were on their way.
    if (this.#power === "active")
      this.#take(this.#happens("flipped_bit") ? flipOneBit(bytes, this.#faultRandom) : bytes);
    return "ack";
  }

  read(address: number, length: number, hz: number = this.#busHz): ReadResult {
    this.#settle();
    if (this.#isStuck) return "stuck";
    if (!this.#acknowledges(address) || this.#input.length > 0) {
      this.#spendBus(0, hz);
      return "nack";
    }
    if (this.#happens("stuck_sda")) {
      this.#isStuck = true;
      return "stuck";
    }
    const size = Math.min(length, TRANSACTION_BYTES_MAX);
    const bytes = new Uint8Array(size).fill(READ_PAST_END_BYTE);
    bytes.set(this.#output.subarray(this.#pointer, this.#pointer + size));
    this.#pointer = Math.min(this.#pointer + size, this.#output.length);
    this.#spendBus(size, hz);
    return this.#happens("flipped_bit") ? flipOneBit(bytes, this.#faultRandom) : bytes;
  }

  advanceMicros(micros: number): void {
    this.#now += Math.max(0, micros);
    this.#settle();
  }

  setBusHz(hz: number): void {
    this.#busHz = hz;
  }

  pulseClock(count: number): void {
    if (count >= PULSES_TO_FREE_SDA) this.#isStuck = false;
  }

  isHoldingBus(): boolean {
    return this.#isStuck;
  }

  powerCycle(): void {
    this.#settle();
    if (this.#execution !== undefined) this.#tear(this.#execution, this.#now);
    this.#resetBySupply();
  }

  image(): Uint8Array {
    return encodeImage(this.#core.eeprom.bytes);
  }

  nowMicros(): number {
    return this.#now;
  }

  powerState(): "asleep" | "idle" | "active" {
    this.#settle();
    return this.#power;
  }

  eepromChanges(): number {
    return this.#core.eeprom.changes;
  }

  /** Nobody answers at address 0, but its low bits, slow enough, are the wake pulse. */
  #generalCall(bytes: Uint8Array, hz: number): "nack" {
    this.#spendBus(bytes.length > 0 ? 1 : 0, hz);
    this.#settle();
    if (this.#power !== "active" && hz <= WAKE_HZ_MAX) this.#wake();
    return "nack";
  }

  #wake(atMicros: number = this.#now): void {
    const testsItself = (this.#core.eeprom.configByte(90) & 0x01) !== 0;
    // A chip that only idled has been tested since its power-up.
    const isFromSleep = this.#power === "asleep";
    if (testsItself && isFromSleep && this.#happens("self_test_failure")) this.#core.selfTestFailed = true;
    this.#power = "active";
    this.#readyAt =
      atMicros + (testsItself && isFromSleep ? WAKE_WITH_SELF_TEST_MICROS : WAKE_TO_READY_MICROS);
    const isLong = (this.#core.eeprom.configByte(19) & 0x04) !== 0;
    this.#watchdogAt = atMicros + (isLong ? LONG_WATCHDOG_MICROS : WATCHDOG_MICROS)[this.#profile];
    this.#input = new Uint8Array(0);
    this.#show(this.#core.selfTestFailed ? chipStatus.selfTest : chipStatus.afterWake);
  }

  #acknowledges(address: number): boolean {
    if (address !== this.#address || this.#power !== "active") return false;
    if (this.#now < this.#readyAt || this.#execution !== undefined) return false;
    if (this.#nacksToCome === 0 && this.#happens("nack_storm")) {
      this.#nacksToCome = 1 + Math.floor(unitInterval(this.#faultRandom) * NACK_STORM_TRANSACTIONS_MAX);
    }
    if (this.#nacksToCome === 0) return true;
    this.#nacksToCome -= 1;
    return false;
  }

  /** What a written transaction means; its first byte is the word address. */
  #take(bytes: Uint8Array): void {
    switch (bytes[0]) {
      case WORD_ADDRESS_REWIND:
        if (this.#input.length > 0) {
          this.#input = new Uint8Array(0);
          this.#show(STATUS_OF_GROUP_CUT_OFF);
        }
        this.#pointer = 0;
        break;
      case WORD_ADDRESS_SLEEP:
        this.#sleep();
        break;
      case WORD_ADDRESS_IDLE:
        this.#power = "idle";
        this.#watchdogAt = Number.POSITIVE_INFINITY;
        this.#input = new Uint8Array(0);
        break;
      case WORD_ADDRESS_COMMAND:
        this.#takeGroupBytes(bytes.subarray(1));
        break;
      default:
        // Reserved word addresses, and a transaction of the address alone: acknowledged, nothing happens.
        break;
    }
  }

  #takeGroupBytes(bytes: Uint8Array): void {
    const joined = new Uint8Array(Math.min(this.#input.length + bytes.length, COMMAND_COUNT_MAX + 1));
    joined.set(this.#input, 0);
    joined.set(bytes.subarray(0, joined.length - this.#input.length), this.#input.length);
    this.#input = joined;

    const group = judgeGroup(joined);
    if (group.kind === "unfinished") return;
    this.#input = new Uint8Array(0);
    if (group.kind === "refused") {
      this.#begin(Uint8Array.of(group.status), [], COMMUNICATION_ERROR_MICROS, false);
      return;
    }

    const { command } = group;
    const nominal = executionMicros(this.#core, command, this.#profile) ?? REFUSAL_MICROS;
    const slowest = executionMicros(this.#core, command, "worst") ?? REFUSAL_MICROS;
    const micros = this.#happens("slow_execution")
      ? nominal + Math.round(unitInterval(this.#faultRandom) * Math.max(0, slowest - nominal))
      : nominal;
    if (this.#now + micros > this.#watchdogAt) {
      this.#begin(Uint8Array.of(chipStatus.watchdog), [], REFUSAL_MICROS, false);
      return;
    }
    const isHeavy =
      command.opcode === opcode.sign || command.opcode === opcode.genKey || command.opcode === opcode.verify;
    const failure = isHeavy ? this.#drawFailure() : undefined;
    if (failure !== undefined) {
      this.#begin(Uint8Array.of(failure), [], Math.min(REFUSAL_MICROS, micros), false);
      return;
    }
    const outcome = runCommand(this.#core, command);
    const took = isRefusal(outcome) ? Math.min(REFUSAL_MICROS, micros) : micros;
    this.#begin(outcome.data, outcome.writes, took, isHeavy && !isRefusal(outcome));
  }

  #begin(data: Uint8Array, writes: readonly EepromWrite[], micros: number, isHeavy: boolean): void {
    const by = this.#drawCut(writes, isHeavy);
    this.#execution = {
      startMicros: this.#now,
      endMicros: this.#now + micros,
      answer: frameAnswer(data),
      writes,
      sleepsAtEnd: this.#happens("watchdog"),
      ...(by === undefined
        ? {}
        : { cut: { by, atMicros: this.#now + micros * unitInterval(this.#faultRandom) } }),
    };
  }

  /** What a heavy command answers in place of its result. */
  #drawFailure(): ChipStatus | undefined {
    if (this.#happens("watchdog_refusal")) return chipStatus.watchdog;
    return this.#happens("ecc_fault") ? chipStatus.eccFault : undefined;
  }

  #drawCut(writes: readonly EepromWrite[], isHeavy: boolean): "brown_out" | "torn_write" | undefined {
    if (writes.length > 0 && this.#happens("torn_write")) return "torn_write";
    return isHeavy && this.#happens("brown_out") ? "brown_out" : undefined;
  }

  /** Works off what was due by now, in the order it was due. */
  #settle(): void {
    const execution = this.#execution;
    if (execution !== undefined) {
      const endsAt = execution.cut?.atMicros ?? execution.endMicros;
      if (Math.min(endsAt, this.#watchdogAt) > this.#now) return;
      if (endsAt <= this.#watchdogAt) this.#end(execution);
      else this.#sleep();
    }
    if (this.#watchdogAt <= this.#now) this.#sleep();
  }

  #end(execution: Execution): void {
    this.#execution = undefined;
    if (execution.cut !== undefined) {
      this.#tear(execution, execution.cut.atMicros);
      this.#resetBySupply();
      // The supply is back at once; as often as not, the bus's own traffic has then woken the chip already.
      if (execution.cut.by === "brown_out" && unitInterval(this.#faultRandom) < 0.5)
        this.#wake(execution.cut.atMicros);
      return;
    }
    for (const write of execution.writes) this.#core.eeprom.apply(write);
    this.#output = execution.answer;
    this.#pointer = 0;
    if (execution.sleepsAtEnd) this.#sleep();
  }

  /** EEPROM is written evenly over the execution: what is past stays, and one byte is caught between old and new. */
  #tear(execution: Execution, atMicros: number): void {
    const span = execution.endMicros - execution.startMicros;
    const share = span === 0 ? 0 : Math.min(1, (atMicros - execution.startMicros) / span);
    const total = execution.writes.reduce((sum, write) => sum + write.bytes.length, 0);
    let left = Math.floor(total * share);
    for (const write of execution.writes) {
      const whole = Math.min(left, write.bytes.length);
      left -= whole;
      const caught = write.bytes.slice(0, Math.min(whole + 1, write.bytes.length));
      if (whole < caught.length) {
        const before = this.#core.eeprom.bytes[write.offset + whole] ?? 0;
        const mask = this.#faultRandom.bytes(1)[0] ?? 0;
        caught[whole] = (before & ~mask) | ((caught[whole] ?? 0) & mask);
      }
      this.#core.eeprom.apply({ offset: write.offset, bytes: caught });
      if (left === 0) break;
    }
    this.#execution = undefined;
  }

  #sleep(): void {
    this.#power = "asleep";
    this.#watchdogAt = Number.POSITIVE_INFINITY;
    this.#execution = undefined;
    this.#isStuck = false;
    this.#core.volatile = emptyVolatileState();
    this.#input = new Uint8Array(0);
    this.#output = new Uint8Array(0);
    this.#pointer = 0;
    this.#address = this.#configuredAddress();
  }

  #resetBySupply(): void {
    this.#sleep();
    this.#core.persistentLatch = LATCH_AT_POWER_UP;
    this.#core.selfTestFailed = false;
    this.#nacksToCome = 0;
  }

  #show(status: ChipStatus): void {
    this.#output = frameAnswer(Uint8Array.of(status));
    this.#pointer = 0;
  }

  #spendBus(bytes: number, hz: number): void {
    const bits = 2 + 9 * (1 + bytes);
    this.#now += Math.ceil((bits * 1_000_000) / Math.max(1, hz));
  }

  /** Config byte 16, or UserExtraAdd (85) where ChipMode bit 0 is set and it is not zero; both in 8-bit form. */
  #configuredAddress(): number {
    const { eeprom } = this.#core;
    const extra = eeprom.configByte(85);
    const usesExtra = (eeprom.configByte(19) & 0x01) !== 0 && extra !== 0;
    return (usesExtra ? extra : eeprom.configByte(16)) >> 1;
  }
}
