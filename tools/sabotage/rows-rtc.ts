/** Sabotages of the clock chip: what is read from it, what is written to it, and what is made of its drift. */
import type { Sabotage } from "./table.ts";

const driver = {
  file: "packages/device/src/time/ds3231/ds3231.ts",
  test: "packages/device/src/time/ds3231/ds3231.test.ts",
};
const registers = {
  file: "packages/device/src/time/ds3231/clock-registers.ts",
  test: "packages/device/src/time/ds3231/clock-registers.test.ts",
};
const drift = {
  file: "packages/device/src/time/drift-fit.ts",
  test: "packages/device/src/time/drift-fit.test.ts",
};

export const rtcRows: readonly Sabotage[] = [
  {
    ...driver,
    file: registers.file,
    promise: "A clock chip whose oscillator stood says so with each reading.",
    deed: "ignore OSF",
    find: "isOscillatorStopped: (at(register.status) & statusBit.osf) !== 0,",
    replace: "isOscillatorStopped: (at(register.status) & statusBit.osf) > 0xff,",
    name: "a clock that lost its time says so",
  },
  {
    ...registers,
    promise: "Bytes that are no time are not taken for one.",
    deed: "take any digits for BCD",
    find: "return tens > 9 || ones > 9 ? Number.NaN : tens * 10 + ones;",
    replace: "return Math.min(9, tens) * 10 + Math.min(9, ones);",
    name: "seconds that are not BCD",
  },
  {
    ...driver,
    promise: "A blind read of the clock chip claims no more than half a second.",
    deed: "claim the bus's own few milliseconds",
    find: "boundSeconds: boundSeconds + 0.5 });",
    replace: "boundSeconds });",
    name: "a blind read brackets the clock's time by half a second",
  },
  {
    ...driver,
    promise: "OSF is cleared only after the right time was written.",
    deed: "clear OSF first",
    find: "let trouble = await this.#link.write(register.seconds, encodeTimeRegisters(target.seconds));",
    replace: `let trouble = await this.#link.write(register.control, [0x1c, 0x0b]);
      trouble ??= await this.#link.write(register.seconds, encodeTimeRegisters(target.seconds));`,
    name: "setting writes 00h to 06h at the whole second in one transfer",
  },
  {
    ...driver,
    promise: "A clock chip that did not keep what was written is not called set.",
    deed: "believe the write",
    find: `if (!isKept) return unusable("not_kept");`,
    replace: `if (!isKept && target.seconds < 0) return unusable("not_kept");`,
    name: "a clock whose OSF comes back is not called set",
  },
  {
    ...driver,
    file: "packages/device/src/time/ds3231/ds3231-link.ts",
    promise: "A bus that somebody holds down costs a second, and no pile of transactions.",
    deed: "begin a transaction behind one that never ends",
    find: "if (this.#isUnanswered) return Promise.resolve",
    replace: "if (this.#isUnanswered && this.now() < 0) return Promise.resolve",
    name: "a stuck bus is given up after a second",
  },
  {
    ...driver,
    promise: "An aging offset takes effect when it is written, not some time later.",
    deed: "leave CONV alone",
    find: "(before.bytes[register.control] ?? 0) | controlBit.conv;",
    replace: "(before.bytes[register.control] ?? 0) & ~controlBit.conv;",
    name: "the aging offset takes effect at once",
  },
  {
    ...drift,
    promise: "A drift is told with a bound, and lies within it.",
    deed: "halve the bound",
    find: "Math.max(bound, residual)) / spread;",
    replace: "Math.max(bound, residual)) / spread / 2;",
    name: "the true drift lies within value ± bound",
  },
  {
    ...drift,
    promise: "One wrong answer about the time does not bend the drift.",
    deed: "take every sample",
    find: "return Math.abs(ahead - expected) > bound + expectedBound;",
    replace: "return Math.abs(ahead - expected) > bound + expectedBound + 1e12;",
    name: "a sample far from the line is left out",
  },
  {
    promise: "A clock chip is not trimmed when nobody knows whether it is fast or slow.",
    deed: "trim by the value and forget its bound",
    file: "packages/device/src/time/aging-discipline.ts",
    find: "if (Math.abs(drift.ppm) <= drift.boundPpm) return",
    replace: "if (Math.abs(drift.ppm) <= 0) return",
    test: "packages/device/src/time/aging-discipline.test.ts",
    name: "the offset is left alone when the fit cannot tell fast from slow",
  },
  {
    promise: "On the simulated bus a device that holds SDA low silences the others, as on silicon.",
    deed: "let the chip be heard beside a stuck device",
    file: "packages/secure-element/src/host/node/sim-wire.ts",
    find: "return this.#devices.some((device) => device.isHoldingBus());",
    replace: "return this.#devices.every((device) => device.isHoldingBus());",
    test: "packages/secure-element/src/host/node/sim-wire.test.ts",
    name: "while one device holds the bus the others hear nothing",
  },
];
