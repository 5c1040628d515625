/**
 * A DS3231 on the bus, register by register, in virtual time.
 *
 * Time is a number that moves with the transactions and with {@link Ds3231Sim.advanceMicros}; it stops at each change of
 * a second, start and end of a conversion, so that a run is a function of its inputs. The oscillator runs as fast as its
 * crystal does (`crystal.ts`), so the clock drifts from that virtual time as a real one drifts from the world's.
 *
 * Where the datasheet is silent: alarm registers are 0 at first power; a register pointer beyond 12h is taken modulo 19;
 * CONV written while a conversion is under way is dropped; a conversion takes 125 ms (the typical time).
 */
import type { NumericDate } from "@mayfly/core";
import { controlBit, ds3231Address, register, registerCount, statusBit } from "../registers.ts";
import { matchesAlarm1, matchesAlarm2 } from "./alarms.ts";
import { countSecond, showInstant } from "./calendar-counter.ts";
import { type Crystal, crystalPpm, defaultCrystal } from "./crystal.ts";

export const conversionEveryMicros = 64_000_000;
export const conversionMicros = 125_000;
/** From writing CONV until BSY shows it. */
export const convToBusyMicros = 2_000;
const busHzDefault = 100_000;
const secondMicros = 1_000_000;

/** What writing can change, registers 00h to 0Dh. */
const writableMask: readonly number[] = [
  0x7f, 0x7f, 0x7f, 0x07, 0x3f, 0x9f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
];
/** Can only be written 0. */
const flags = statusBit.osf | statusBit.a2f | statusBit.a1f;

export interface Ds3231SimOptions {
  /** What the clock shows at first, fractions are where in its second it is; 2000 to 2099. Absent: first power, 2000-01-01. */
  readonly startsAtSeconds?: NumericDate;
  /** OSF at first. Default: set at first power, else not. */
  readonly isOscillatorStopped?: boolean;
  readonly crystal?: Partial<Crystal>;
  /** Default 25. */
  readonly temperatureC?: number;
  /** What keeps the time without power. Default "good". */
  readonly battery?: "good" | "none";
}

export interface Ds3231Sim {
  /** START, address + W, bytes, STOP. @param address 7-bit. @param hz Default 100 000. "stuck": SDA is held low. */
  write(address: number, bytes: Uint8Array, hz?: number): "ack" | "nack" | "stuck";
  /** START, address + R, `length` bytes, STOP. */
  read(address: number, length: number, hz?: number): Uint8Array | "nack" | "stuck";
  /** Virtual time goes on; 0 or more µs. */
  advanceMicros(micros: number): void;
  /** Virtual time since the simulator was made. */
  nowMicros(): number;
  /** -40 to 85. The registers show it after the next conversion. */
  setTemperature(temperatureC: number): void;
  /** Takes VCC away: nobody answers, and the battery keeps the time if it is good and EOSC is 0. */
  cutPower(): void;
  restorePower(): void;
  setBattery(battery: "good" | "none"): void;
  /** Holds SDA low, or lets it go: a host that was reset in the middle of a read sees this. */
  holdBus(hold: "held" | "free"): void;
  /** Whether SDA is held low. */
  isHoldingBus(): boolean;
  /** How fast the oscillator truly runs now, ppm. */
  truePpm(): number;
}

/** @throws {RangeError} The clock cannot show `startsAtSeconds`. */
export function createDs3231Sim(options: Ds3231SimOptions = {}): Ds3231Sim {
  return new Ds3231Chip(options);
}

class Ds3231Chip implements Ds3231Sim {
  readonly #registers = new Uint8Array(registerCount);
  readonly #crystal: Crystal;
  #temperatureC: number;
  /** The aging offset in force: that of the last conversion. */
  #aging = 0;
  #battery: "good" | "none";
  #isPowered = true;
  #isHeld = false;
  #now = 0;
  /** µs of the oscillator into the second shown. */
  #chainMicros = 0;
  #pointer = 0;
  #conversionAt = 0;
  #busyAt = Number.POSITIVE_INFINITY;
  #conversionEndsAt = Number.POSITIVE_INFINITY;

  constructor(options: Ds3231SimOptions) {
    const { startsAtSeconds, isOscillatorStopped } = options;
    this.#crystal = { ...defaultCrystal, ...options.crystal };
    this.#temperatureC = options.temperatureC ?? 25;
    this.#battery = options.battery ?? "good";
    this.#firstPower();
    if (startsAtSeconds !== undefined) {
      const whole = Math.floor(startsAtSeconds);
      if (!(whole >= 946_684_800 && whole < 4_102_444_800))
        throw new RangeError("a DS3231 shows 2000 to 2099");
      showInstant(this.#registers, whole);
      this.#chainMicros = (startsAtSeconds - whole) * secondMicros;
    }
    if (!(isOscillatorStopped ?? startsAtSeconds === undefined))
      this.#change(register.status, statusBit.osf, 0);
    this.#settle();
  }

  write(address: number, bytes: Uint8Array, hz = busHzDefault): "ack" | "nack" | "stuck" {
    if (this.#isHeld) return "stuck";
    this.#spendByte(hz);
    if (address !== ds3231Address || !this.#isPowered) return "nack";
    for (const [index, byte] of bytes.entries()) {
      // A byte is taken at its acknowledgement, nine clocks after the one before.
      this.#spendByte(hz);
      if (index === 0) this.#pointer = byte % registerCount;
      else this.#take(byte);
    }
    return "ack";
  }

  read(address: number, length: number, hz = busHzDefault): Uint8Array | "nack" | "stuck" {
    if (this.#isHeld) return "stuck";
    let latched = this.#registers.slice(0, register.alarm1);
    this.#spendByte(hz);
    if (address !== ds3231Address || !this.#isPowered) return "nack";
    const bytes = new Uint8Array(length);
    for (let index = 0; index < length; index += 1) {
      bytes[index] = latched[this.#pointer] ?? this.#registers[this.#pointer] ?? 0;
      this.#spendByte(hz);
      this.#pointer = (this.#pointer + 1) % registerCount;
      if (this.#pointer === 0) latched = this.#registers.slice(0, register.alarm1);
    }
    return bytes;
  }

  advanceMicros(micros: number): void {
    const until = this.#now + Math.max(0, micros);
    if (!this.#isRunning()) {
      this.#now = until;
      return;
    }
    while (this.#now < until) {
      const rate = 1 + this.truePpm() / 1e6;
      const secondAt = this.#now + (secondMicros - this.#chainMicros) / rate;
      const next = Math.min(until, secondAt, this.#conversionAt, this.#busyAt, this.#conversionEndsAt);
      this.#chainMicros += (next - this.#now) * rate;
      this.#now = next;
      if (next === secondAt) this.#nextSecond();
      this.#settle();
    }
  }

  nowMicros(): number {
    return this.#now;
  }

  setTemperature(temperatureC: number): void {
    this.#temperatureC = temperatureC;
  }

  cutPower(): void {
    if (!this.#isPowered) return;
    this.#isPowered = false;
    this.#isHeld = false;
    if ((this.#at(register.control) & controlBit.eosc) !== 0)
      this.#change(register.status, statusBit.osf, statusBit.osf);
    if (this.#battery === "none") this.#firstPower();
  }

  restorePower(): void {
    if (this.#isPowered) return;
    this.#isPowered = true;
    this.#pointer = 0;
    // The temperature is taken when power comes.
    this.#conversionAt = this.#now;
    this.#settle();
  }

  setBattery(battery: "good" | "none"): void {
    this.#battery = battery;
    if (!this.#isPowered && battery === "none") this.#firstPower();
  }

  holdBus(hold: "held" | "free"): void {
    this.#isHeld = hold === "held";
  }

  isHoldingBus(): boolean {
    return this.#isHeld;
  }

  truePpm(): number {
    return crystalPpm(this.#crystal, this.#temperatureC, this.#aging);
  }

  #isRunning(): boolean {
    if (this.#isPowered) return true;
    return this.#battery === "good" && (this.#at(register.control) & controlBit.eosc) === 0;
  }

  #firstPower(): void {
    this.#registers.fill(0);
    this.#registers.set([0x00, 0x00, 0x00, 0x01, 0x01, 0x01, 0x00]);
    this.#registers[register.control] = controlBit.rs2 | controlBit.rs1 | controlBit.intcn;
    this.#registers[register.status] = statusBit.osf | statusBit.en32kHz;
    this.#chainMicros = 0;
    this.#pointer = 0;
    this.#aging = 0;
    this.#conversionAt = this.#now;
    this.#busyAt = Number.POSITIVE_INFINITY;
    this.#conversionEndsAt = Number.POSITIVE_INFINITY;
  }

  #take(byte: number): void {
    const index = this.#pointer;
    this.#pointer = (this.#pointer + 1) % registerCount;
    const before = this.#at(index);
    if (index === register.control) {
      this.#takeControl(before, byte);
    } else if (index === register.status) {
      this.#registers[index] =
        (before & statusBit.bsy) | (before & byte & flags) | (byte & statusBit.en32kHz);
    } else if (index === register.agingOffset) {
      this.#registers[index] = byte;
    } else {
      // The temperature's registers have no mask: they cannot be written.
      const mask = writableMask[index] ?? 0;
      this.#registers[index] = (before & ~mask) | (byte & mask);
    }
    if (index === register.seconds) this.#chainMicros = 0;
  }

  /** CONV stays until its conversion is over, and starts one only when none is under way. */
  #takeControl(before: number, byte: number): void {
    const isConverting = this.#conversionEndsAt !== Number.POSITIVE_INFINITY;
    const conv = isConverting ? before & controlBit.conv : byte & controlBit.conv;
    this.#registers[register.control] = (byte & ~controlBit.conv) | conv;
    if (isConverting || conv === 0) return;
    this.#busyAt = this.#now + convToBusyMicros;
    this.#conversionEndsAt = this.#now + conversionMicros;
  }

  #nextSecond(): void {
    this.#chainMicros = 0;
    countSecond(this.#registers);
    if (matchesAlarm1(this.#registers)) this.#change(register.status, statusBit.a1f, statusBit.a1f);
    if (matchesAlarm2(this.#registers)) this.#change(register.status, statusBit.a2f, statusBit.a2f);
  }

  /** Works off what is due: the 64 s cycle, BSY, the end of a conversion. */
  #settle(): void {
    if (this.#conversionAt <= this.#now) {
      this.#conversionAt = this.#now + conversionEveryMicros;
      if (this.#conversionEndsAt === Number.POSITIVE_INFINITY) {
        this.#busyAt = this.#now;
        this.#conversionEndsAt = this.#now + conversionMicros;
      }
    }
    if (this.#busyAt <= this.#now) {
      this.#busyAt = Number.POSITIVE_INFINITY;
      this.#change(register.status, statusBit.bsy, statusBit.bsy);
    }
    if (this.#conversionEndsAt <= this.#now) this.#endConversion();
  }

  #endConversion(): void {
    this.#conversionEndsAt = Number.POSITIVE_INFINITY;
    this.#change(register.status, statusBit.bsy, 0);
    this.#change(register.control, controlBit.conv, 0);
    const quarters = Math.round(this.#temperatureC * 4);
    this.#registers[register.temperature] = (quarters >> 2) & 0xff;
    this.#registers[register.temperature + 1] = (quarters & 0x03) << 6;
    const aging = this.#at(register.agingOffset);
    this.#aging = aging < 0x80 ? aging : aging - 0x100;
  }

  #spendByte(hz: number): void {
    this.advanceMicros((9 * secondMicros) / hz);
  }

  #at(index: number): number {
    return this.#registers[index] ?? 0;
  }

  #change(index: number, bits: number, to: number): void {
    this.#registers[index] = (this.#at(index) & ~bits) | to;
  }
}
